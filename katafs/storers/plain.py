"""The storer without git, on any store of volumes: katas, avatars and tags, each by a part of its own."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from katafs.config import Sandboxes
from katafs.errors import CorruptKata
from katafs.kata_id import AvatarName, KataId
from katafs.storers.avatars import AvatarsStorer
from katafs.storers.checks import checked_files, checked_run
from katafs.storers.diff import FileDiff, differences
from katafs.storers.json_files import checked_texts
from katafs.storers.katas import KatasStorer
from katafs.storers.storer import OUTPUT, Delta, Increment, Manifest, Tag
from katafs.storers.tags import TagsStorer
from katafs.volumes.store import VolumeStore


class PlainStorer:
    """A Storer that keeps each test run as a file."""

    def __init__(self, store: VolumeStore, sandboxes: Sandboxes = Sandboxes.KATA) -> None:
        """`sandboxes` says where a new avatar's sandbox goes; those that exist are found in either place."""
        self._katas = KatasStorer(store)
        self._avatars = AvatarsStorer(store, sandboxes)
        self._tags = TagsStorer(store)

    def create_kata(self, manifest: Mapping[str, Any]) -> KataId:
        """As in Storer."""
        return self._katas.create_kata(manifest)

    def kata_exists(self, kata: str) -> bool:
        """As in Storer."""
        return self._katas.kata_exists(kata)

    def kata_manifest(self, kata: str) -> Manifest:
        """As in Storer."""
        return self._katas.kata_manifest(kata)

    def completed(self, partial: str) -> str:
        """As in Storer."""
        return self._katas.completed(partial)

    def katas(self) -> list[KataId]:
        """As in Storer."""
        return self._katas.katas()

    def delete_kata(self, kata: str) -> None:
        """As in Storer."""
        self._katas.delete_kata(kata)

    def start_avatar(self, kata: str, names: Iterable[str]) -> AvatarName | None:
        """As in Storer."""
        start = start_files(self._katas, kata)
        with self._avatars.starting(kata, names) as avatar:
            if avatar is not None:
                self._avatars.sandbox_write(kata, avatar, start)
                self._tags.start(kata, avatar, start)
        return avatar

    def started_avatars(self, kata: str) -> list[AvatarName]:
        """As in Storer."""
        return self._avatars.started_avatars(kata)

    def avatar_exists(self, kata: str, name: str) -> bool:
        """As in Storer."""
        return self._avatars.avatar_exists(kata, name)

    def avatar_increments(self, kata: str, name: str) -> list[Increment]:
        """As in Storer."""
        return self._tags.avatar_increments(kata, name)

    def avatar_visible_files(self, kata: str, name: str) -> dict[str, str]:
        """As in Storer."""
        return self._tags.avatar_visible_files(kata, name)

    def sandbox_save(self, kata: str, name: str, delta: Delta, files: Mapping[str, str | bytes]) -> None:
        """As in Storer."""
        self._avatars.sandbox_save(kata, name, delta, files)

    def avatar_ran_tests(
        self, kata: str, name: str, files: Mapping[str, str], now: Sequence[int], output: str, colour: str
    ) -> list[Increment]:
        """As in Storer. The output goes to the sandbox, too."""
        checked_run(now, output, colour)
        checked_files(files)
        self._avatars.sandbox_write(kata, name, {OUTPUT: output})
        return self._tags.avatar_ran_tests(kata, name, files, now, output, colour)

    def tag_visible_files(self, kata: str, name: str, number: int) -> dict[str, str]:
        """As in Storer."""
        return self._tags.tag_visible_files(kata, name, number)

    def tag(self, kata: str, name: str, number: int) -> Tag:
        """As in Storer."""
        return self._tags.tag(kata, name, number)

    def tags(self, kata: str, name: str) -> list[Tag]:
        """As in Storer."""
        return self._tags.tags(kata, name)

    def tag_diff(self, kata: str, name: str, old: int, new: int) -> list[FileDiff]:
        """As in Storer. Compares the visible files, which are what git has of a sandbox."""
        return differences(self.tag_visible_files(kata, name, old), self.tag_visible_files(kata, name, new))


def start_files(katas: KatasStorer, kata: str) -> dict[str, str]:
    """The files that an avatar starts with. Raises KataNotFound, CorruptKata, BadFileName."""
    manifest = katas.kata_manifest(kata)
    if "visible_files" not in manifest:
        raise CorruptKata(f"the manifest of kata {kata} has no visible_files")
    return checked_files(checked_texts(manifest["visible_files"], f"visible_files of kata {kata}"))
