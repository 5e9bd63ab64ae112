"""The storer with git: file for file and tag for tag what the servers' code of 2016 leaves, so that either can go on
with what the other wrote. On every store of volumes whose files the git program can reach.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from katafs.config import Sandboxes
from katafs.kata_id import AvatarName
from katafs.storers.avatars import AvatarsStorer
from katafs.storers.checks import (
    checked_avatar,
    checked_delta,
    checked_files,
    checked_id,
    checked_number,
    checked_run,
)
from katafs.storers.diff import FileDiff
from katafs.storers.git_avatar import GitAvatar
from katafs.storers.git_locks import remove_old_locks
from katafs.storers.git_patch import file_diffs
from katafs.storers.increments import colour_of
from katafs.storers.katas import KatasStorer
from katafs.storers.locks import alone
from katafs.storers.starts import NewAvatar, Starts
from katafs.storers.storer import OUTPUT, Delta, Increment, Tag
from katafs.storers.tag_files import new_tag
from katafs.volumes.store import VolumeStore


class GitStorer(KatasStorer, AvatarsStorer):
    """A Storer that keeps each test run as a commit and a tag. Sandboxes are in the kata's volume."""

    def __init__(self, store: VolumeStore) -> None:
        super().__init__(store)
        self._starts = Starts(store, Sandboxes.KATA)

    def start_avatar(self, kata: str, names: Iterable[str]) -> AvatarName | None:
        """As in Storer. Raises GitFailed."""
        return self._starts.first_free(kata, names, _fill)

    def avatar_increments(self, kata: str, name: str) -> list[Increment]:
        """As in Storer."""
        with self._opened(kata, name) as avatar:
            return avatar.increments()

    def avatar_visible_files(self, kata: str, name: str) -> dict[str, str]:
        """As in Storer."""
        with self._opened(kata, name) as avatar:
            return avatar.current_files()

    def sandbox_save(self, kata: str, name: str, delta: Delta, files: Mapping[str, str | bytes]) -> None:
        """As in Storer. Raises GitFailed."""
        deleted, written = checked_delta(delta, files)
        with self._changing(kata, name) as avatar:
            avatar.save(deleted, written)

    def avatar_ran_tests(
        self, kata: str, name: str, files: Mapping[str, str], now: Sequence[int], output: str, colour: str
    ) -> list[Increment]:
        """As in Storer. Raises GitFailed."""
        time, word = checked_run(now, output, colour)
        shown = {**checked_files(files), OUTPUT: output}
        with self._changing(kata, name) as avatar:
            return avatar.ran_tests(shown, word, time)

    def tag_visible_files(self, kata: str, name: str, number: int) -> dict[str, str]:
        """As in Storer."""
        with self._opened(kata, name) as avatar:
            return avatar.visible_files([checked_number(number)])[0]

    def tag(self, kata: str, name: str, number: int) -> Tag:
        """As in Storer."""
        with self._opened(kata, name) as avatar:
            return self._tags(avatar, [checked_number(number)])[0]

    def tags(self, kata: str, name: str) -> list[Tag]:
        """As in Storer."""
        with self._opened(kata, name) as avatar:
            return self._tags(avatar, avatar.numbers())

    def tag_diff(self, kata: str, name: str, old: int, new: int) -> list[FileDiff]:
        """As in Storer: it is what git says."""
        with self._opened(kata, name) as avatar:
            return file_diffs(avatar.patch(checked_number(old), checked_number(new)), "sandbox/")

    @staticmethod
    def _tags(avatar: GitAvatar, numbers: Sequence[int]) -> list[Tag]:
        lights = avatar.lights()
        tags = []
        for number, shown in zip(numbers, avatar.visible_files(numbers), strict=True):
            light = lights.get(number, {})
            tags.append(new_tag(number, colour_of(light), light.get("time"), shown))
        return tags

    @contextmanager
    def _opened(self, kata: str, name: str) -> Iterator[GitAvatar]:
        with self._places.avatar(kata, name) as directory:
            yield GitAvatar(directory, checked_id(kata), checked_avatar(name))

    @contextmanager
    def _changing(self, kata: str, name: str) -> Iterator[GitAvatar]:
        """The same, for one at a time: two test runs at once would undo each other's files."""
        with self._places.avatar(kata, name) as directory, alone(directory, f"avatar {name} of kata {kata}"):
            remove_old_locks(directory)
            yield GitAvatar(directory, checked_id(kata), checked_avatar(name))


def _fill(new: NewAvatar, start: dict[str, str]) -> None:
    GitAvatar(new.directory, new.kata, new.name).start(start)
