"""The storer without git, on any store of volumes: katas, avatars and tags, each by a part of its own."""

from collections.abc import Iterable, Mapping, Sequence

from katafs.config import Sandboxes
from katafs.kata_id import AvatarName
from katafs.storers.avatars import AvatarsStorer, change_files
from katafs.storers.checks import checked_files, checked_run
from katafs.storers.diff import FileDiff, differences
from katafs.storers.katas import KatasStorer
from katafs.storers.starts import NewAvatar, Starts
from katafs.storers.storer import OUTPUT, Increment
from katafs.storers.tags import TagsStorer, start_tags
from katafs.volumes.store import VolumeStore


class PlainStorer(KatasStorer, AvatarsStorer, TagsStorer):
    """A Storer that keeps each test run as a file."""

    def __init__(self, store: VolumeStore, sandboxes: Sandboxes = Sandboxes.KATA) -> None:
        """`sandboxes` says where a new avatar's sandbox goes; those that exist are found in either place."""
        super().__init__(store)
        self._starts = Starts(store, sandboxes)

    def start_avatar(self, kata: str, names: Iterable[str]) -> AvatarName | None:
        """As in Storer."""
        return self._starts.first_free(kata, names, _fill)

    def avatar_ran_tests(
        self, kata: str, name: str, files: Mapping[str, str], now: Sequence[int], output: str, colour: str
    ) -> list[Increment]:
        """As in Storer. The output goes to the sandbox, too."""
        checked_run(now, output, colour)
        checked_files(files)
        with self._places.sandbox(kata, name) as sandbox:
            change_files(sandbox, {OUTPUT.encode(): output.encode()})
        return super().avatar_ran_tests(kata, name, files, now, output, colour)

    def tag_diff(self, kata: str, name: str, old: int, new: int) -> list[FileDiff]:
        """As in Storer. Compares the visible files: what git has of a sandbox that was saved with them."""
        return differences(self.tag_visible_files(kata, name, old), self.tag_visible_files(kata, name, new))


def _fill(new: NewAvatar, start: dict[str, str]) -> None:
    change_files(new.sandbox, {name.encode(): content.encode() for name, content in start.items()})
    start_tags(new.directory, start)
