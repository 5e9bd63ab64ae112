"""The storer without git, on any store of volumes: katas, avatars and tags, each by a part of its own."""

from collections.abc import Mapping, Sequence

from katafs.config import Sandboxes
from katafs.kata_id import AvatarName
from katafs.storers.checks import checked_files, checked_run
from katafs.storers.common import CommonStorer
from katafs.storers.diff import FileDiff, differences
from katafs.storers.storer import OUTPUT, Delta, Increment, Tag
from katafs.storers.tags import TagsStorer
from katafs.volumes.store import VolumeStore


class PlainStorer(CommonStorer):
    """A Storer that keeps each test run as a file."""

    def __init__(self, store: VolumeStore, sandboxes: Sandboxes = Sandboxes.KATA) -> None:
        """`sandboxes` says where a new avatar's sandbox goes; those that exist are found in either place."""
        super().__init__(store, sandboxes)
        self._tags = TagsStorer(store)

    def _begin(self, kata: str, avatar: AvatarName, start: dict[str, str]) -> None:
        """As in CommonStorer."""
        self._avatars.sandbox_write(kata, avatar, start)
        self._tags.start(kata, avatar, start)

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
        """As in Storer. Compares the visible files: what git has of a sandbox that was saved with them."""
        return differences(self.tag_visible_files(kata, name, old), self.tag_visible_files(kata, name, new))
