"""What every storer promises; `tests/contract` holds each implementation to it.

Ids and names come as text, since they come from outside; whatever is wrong with them has an error of its own in
`katafs.errors`. Every method may raise KataNotFound, AvatarNotFound, BadId or BadAvatar for what it is asked about,
CorruptKata or TooLarge for what it finds, StoreFull for what it can't write, and StoreUnreachable; every one that
changes an avatar AvatarBusy.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

from katafs.kata_id import AvatarName, KataId
from katafs.storers.diff import FileDiff

Manifest = dict[str, Any]
"""A kata's manifest: more than twenty sets of keys occur, so what isn't known is kept and not looked at."""

Increment = dict[str, Any]
"""One traffic-light: `colour` (`outcome` in katas of 2012), `time` (six numbers, or null) and `number`; maybe more."""

OUTPUT = "output"
"""The file among the visible files that isn't the avatar's own: what its last test run printed."""


class Tag(TypedDict):
    """One test run; number 0 is the start, which has neither colour nor time. Also what `tags/<n>.json` holds."""

    number: int
    colour: str | None
    time: list[int] | None
    """Year, month, day, hour, minute, second; null in some old katas."""
    visible_files: dict[str, str]
    """Without `output`."""
    output: str | None
    """None where the visible files had no `output`."""


@dataclass(frozen=True)
class Delta:
    """What changed in a sandbox since it was saved last: names of files."""

    deleted: Sequence[str] = ()
    new: Sequence[str] = ()
    changed: Sequence[str] = ()


class Storer(Protocol):
    """Where katas are kept."""

    def create_kata(self, manifest: Mapping[str, Any]) -> KataId:
        """Store a new kata under the id in its manifest. Raises BadManifest, BadId, BadFileName, BadContent,
        KataExists, which is atomic also between processes, and KataNotFound where it is deleted meanwhile."""

    def kata_exists(self, kata: str) -> bool:
        """Whether the kata is stored; False for what isn't an id."""

    def kata_manifest(self, kata: str) -> Manifest:
        """The manifest as it was stored, key for key."""

    def completed(self, partial: str) -> str:
        """The only id that begins with these 6 or more characters; else what came in, whatever that is."""

    def katas(self) -> list[KataId]:
        """Every kata, sorted."""

    def delete_kata(self, kata: str) -> None:
        """Remove the kata and all of its avatars. What goes on in it ends: that finds no kata, or no avatar. Raises
        KataInUse, and has then removed nothing; OSError(ENOTEMPTY) where something goes on writing into it, and a part
        may be left."""

    def start_avatar(self, kata: str, names: Iterable[str]) -> AvatarName | None:
        """Start the first of these avatars that isn't started yet, or None; of racing processes each gets another.

        One whose start goes on, or was broken off by a kill, isn't found by any call; after a kill its name is free
        again after a minute."""

    def started_avatars(self, kata: str) -> list[AvatarName]:
        """The avatars that were started, sorted."""

    def avatar_exists(self, kata: str, name: str) -> bool:
        """Whether the avatar was started; False for what is no id, no kata or no avatar's name."""

    def avatar_increments(self, kata: str, name: str) -> list[Increment]:
        """The traffic-lights as they were stored, oddities included. Raises IncrementsMissing."""

    def avatar_visible_files(self, kata: str, name: str) -> dict[str, str]:
        """The visible files of the newest tag, `output` among them."""

    def sandbox_save(self, kata: str, name: str, delta: Delta, files: Mapping[str, str | bytes]) -> None:
        """Remove the deleted files, write the new and the changed ones, and leave alone all that the delta doesn't
        name: make depends on the times of unchanged files. A deleted file that is gone already is no error. Raises
        BadFileName, and BadContent where `files` lacks one; both before anything is written."""

    def avatar_ran_tests(
        self, kata: str, name: str, files: Mapping[str, str], now: Sequence[int], output: str, colour: str
    ) -> list[Increment]:
        """Store a test run as the next tag, with these visible files and this output, and return the traffic-lights.
        The sandbox is given the output and nothing else: `sandbox_save` comes first, with what was edited.

        The tag shows when all of it is stored, and not before. Raises BadTestRun, BadFileName, BadContent."""

    def tag_visible_files(self, kata: str, name: str, number: int) -> dict[str, str]:
        """The visible files at a tag, `output` among them. Raises TagNotFound."""

    def tag(self, kata: str, name: str, number: int) -> Tag:
        """All of a tag. Raises TagNotFound."""

    def tags(self, kata: str, name: str) -> list[Tag]:
        """Every tag of an avatar, 0 first."""

    def tag_diff(self, kata: str, name: str, old: int, new: int) -> list[FileDiff]:
        """What the sandbox's files at tag `new` are compared to those at tag `old`, sorted by name; files without a
        difference that shows are left out. Means what `git diff --ignore-space-at-eol --find-copies-harder old new
        sandbox` means. Of a sandbox with other files than the visible ones of its run, git knows those that were saved;
        without git only the visible ones are known. Raises TagNotFound."""
