"""Test runs kept without git: `<avatar>/tags/<n>.json` and `<avatar>/increments.json` in the kata's volume.

The tag's file alone makes a test run exist; `increments.json`, which is what the servers read, follows. A kill between
the two leaves it one behind: it is then completed from the tags, on reading and by the next run. Stands alone.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from katafs.errors import CorruptKata
from katafs.namespace import TAGS_NAME
from katafs.rooted import files, names
from katafs.storers.checks import checked_files, checked_run
from katafs.storers.increments import increment_of, next_number, read_increments, write_increments
from katafs.storers.locks import alone
from katafs.storers.places import Part
from katafs.storers.storer import OUTPUT, Increment, Tag
from katafs.storers.tag_files import create_tag, has_tag, new_tag, read_tag, shown_files

_log = logging.getLogger(__name__)

_DIRECTORY_MODE = 0o777


class TagsStorer(Part):
    """The tags of a store's avatars."""

    def avatar_ran_tests(
        self, kata: str, name: str, visible_files: Mapping[str, str], now: Sequence[int], output: str, colour: str
    ) -> list[Increment]:
        """As in Storer, but for the sandbox, which isn't here. Of racing runs each gets a number of its own."""
        time, word = checked_run(now, output, colour)
        shown = {**checked_files(visible_files), OUTPUT: output}
        # One run at a time: a tag that its disk can't be made to keep is undone, and the next one has the number then.
        with self._opened(kata, name) as (avatar, tags), alone(avatar, _whose(kata, name)):
            while True:
                increments = self._increments(avatar, tags, kata, name)
                tag = new_tag(next_number(increments), word, time, shown)
                try:
                    create_tag(tags, tag)
                    break
                except FileExistsError:
                    continue  # a run by other means has just taken the number, so the next count is higher
            increments.append(increment_of(tag))
            try:
                write_increments(avatar, increments)
            except OSError as problem:  # the run is stored, and what is missing there is completed from the tags
                _log.warning("increments.json is behind", extra={"avatar": f"{kata}/{name}", "error": problem.strerror})
        return increments

    def avatar_increments(self, kata: str, name: str) -> list[Increment]:
        """As in Storer."""
        with self._opened(kata, name) as (avatar, tags):
            return self._increments(avatar, tags, kata, name)

    def avatar_visible_files(self, kata: str, name: str) -> dict[str, str]:
        """As in Storer."""
        with self._opened(kata, name) as (avatar, tags):
            newest = next_number(self._increments(avatar, tags, kata, name)) - 1
            return shown_files(read_tag(tags, newest, _whose(kata, name)))

    def tag_visible_files(self, kata: str, name: str, number: int) -> dict[str, str]:
        """As in Storer."""
        return shown_files(self.tag(kata, name, number))

    def tag(self, kata: str, name: str, number: int) -> Tag:
        """As in Storer."""
        with self._opened(kata, name) as (_, tags):
            return read_tag(tags, number, _whose(kata, name))

    def tags(self, kata: str, name: str) -> list[Tag]:
        """As in Storer."""
        with self._opened(kata, name) as (avatar, tags):
            numbers = [0, *(increment["number"] for increment in self._increments(avatar, tags, kata, name))]
            return [read_tag(tags, number, _whose(kata, name)) for number in numbers]

    @contextmanager
    def _opened(self, kata: str, name: str) -> Iterator[tuple[int, int]]:
        """The avatar's directory, and that of its tags."""
        with self._places.avatar(kata, name) as avatar:
            try:
                tags = files.open_directory(avatar, TAGS_NAME)
            except FileNotFoundError:
                raise CorruptKata(f"{_whose(kata, name)} has no tags") from None
            try:
                yield avatar, tags
            finally:
                os.close(tags)

    def _increments(self, avatar: int, tags: int, kata: str, name: str) -> list[Increment]:
        """The traffic-lights, with those that a kill kept from increments.json."""
        increments = read_increments(avatar, _whose(kata, name))
        while has_tag(tags, next_number(increments)):
            increments.append(increment_of(read_tag(tags, next_number(increments), _whose(kata, name))))
        return increments


def _whose(kata: str, name: str) -> str:
    return f"avatar {name} of kata {kata}"


def start_tags(avatar: int, visible_files: Mapping[str, str]) -> None:
    """Store tag 0 in the directory of an avatar that is being started, and no traffic-lights. Raises BadContent."""
    names.make_directory(avatar, TAGS_NAME, _DIRECTORY_MODE)
    write_increments(avatar, [])
    with files.opened_directory(avatar, TAGS_NAME) as tags:
        create_tag(tags, new_tag(0, None, None, visible_files))
