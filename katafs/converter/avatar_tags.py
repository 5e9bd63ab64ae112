"""One avatar's tags as files, made of its git: `tags/<n>.json`, each read back and compared with what git says.

Knows the avatar by a descriptor of its directory. Never runs git, since whoever wrote the `.git` isn't known.
"""

import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from katafs.errors import CorruptKata
from katafs.namespace import GIT_NAME, TAGS_NAME
from katafs.rooted import files, inodes, names
from katafs.rooted.removing import remove_tree
from katafs.storers.git_tags import GitTags
from katafs.storers.places import named_faults
from katafs.storers.storer import Tag
from katafs.storers.tag_files import create_tag, file_of, number_of, parsed_tag, read_tag, stored_numbers

TEMPORARY = b".katafs-tags-"
"""A kill leaves a directory that begins so. Nothing reads it, and it may be deleted."""


def has_git(avatar: int) -> bool:
    """Whether git keeps the avatar's tags."""
    return files.is_directory(avatar, GIT_NAME)


def numbers_in_files(avatar: int) -> list[int]:
    """The tags that there are files of, sorted; none where there is no directory of them."""
    if not files.is_directory(avatar, TAGS_NAME):
        return []
    with files.opened_directory(avatar, TAGS_NAME) as tags:
        return stored_numbers(tags)


def refuse_strays(tags: int, whose: str) -> None:
    """Raises CorruptKata where a directory of tags holds anything else, which would be lost with it."""
    for name in names.listing(tags):
        if number_of(name) is None and not name.startswith(files.TEMPORARY_PREFIX):
            raise CorruptKata(f"tags of {whose} hold {os.fsdecode(name)!r}, which is no tag's file")


class GitHistory:
    """What git says of an avatar's tags."""

    def __init__(self, avatar: int, whose: str) -> None:
        """Raises CorruptKata where git has no tags, or can't be read."""
        self.avatar = avatar
        self.whose = whose
        self._git = GitTags()
        with named_faults(f"the git of {whose}"), self._named_damage():
            self.numbers = self._git.numbers(avatar) or []
        if not self.numbers:
            raise CorruptKata(f"the git of {whose} has no tags")

    def tag(self, number: int) -> Tag:
        """A tag. Raises CorruptKata, TooLarge."""
        with named_faults(f"tag {number} of {self.whose}"):
            with self._named_damage():
                content = self._git.read(self.avatar, number)
            return parsed_tag(content, number, self.whose)

    def mtime_ns(self, number: int) -> int:
        """When the tag was made, in nanoseconds since 1970."""
        with self._named_damage():
            return self._git.status(self.avatar, number).mtime_ns

    @contextmanager
    def _named_damage(self) -> Iterator[None]:
        """What is damaged in a git says where in it, and not whose it is."""
        try:
            yield
        except CorruptKata as damage:
            raise CorruptKata(f"{self.whose}: {damage}") from damage


def add_tag_files(history: GitHistory) -> bool:
    """Make `tags/` hold every tag that git has, each read back equal to git's; whether one was missing.

    Raises CorruptKata, TooLarge, BadContent, StoreFull and OSError. A `tags/` that wasn't there is then not there, and
    one that was has no less than before."""
    avatar = history.avatar
    if files.status_of(avatar, TAGS_NAME) is None:
        _make(history)
        return True
    with named_faults(f"tags of {history.whose}"), files.opened_directory(avatar, TAGS_NAME) as tags:
        stored = stored_numbers(tags)
        missing = [number for number in history.numbers if number not in stored]
        _check(tags, history, [number for number in history.numbers if number in stored])
        _write(tags, history, missing)
        _check(tags, history, missing)
    return bool(missing)


def check_tag_files(history: GitHistory) -> None:
    """Raises CorruptKata unless `tags/` holds nothing that git doesn't have, too."""
    with named_faults(f"tags of {history.whose}"), files.opened_directory(history.avatar, TAGS_NAME) as tags:
        refuse_strays(tags, history.whose)
        numbers = stored_numbers(tags)
        lacking = sorted(set(numbers) - set(history.numbers))
        if lacking:
            raise CorruptKata(f"tag {lacking[0]} of {history.whose} is a file, and is not in git")
        _check(tags, history, numbers)


def _make(history: GitHistory) -> None:
    avatar = history.avatar
    temporary = TEMPORARY + secrets.token_hex(8).encode()
    tags = files.make_own_directory(avatar, temporary)
    try:
        try:
            _write(tags, history, history.numbers)
            _check(tags, history, history.numbers)
            like = os.fstat(avatar)
            inodes.give(tags, like)
            inodes.set_mode(tags, stat.S_IMODE(like.st_mode))
            files.sync_directory(tags)
        finally:
            os.close(tags)
        names.rename(avatar, temporary, avatar, TAGS_NAME, names.RENAME_NOREPLACE)
    except BaseException:
        remove_tree(avatar, temporary)
        raise
    files.sync_directory(avatar)


def _write(tags: int, history: GitHistory, numbers: Sequence[int]) -> None:
    """Store these tags. Their files belong to whom the avatar belongs to, and are as old as the tags are."""
    like = os.fstat(history.avatar)
    for number in numbers:
        create_tag(tags, history.tag(number))
        file, _ = names.look(tags, file_of(number))
        try:
            inodes.give(file, like)
            inodes.set_times(file, None, history.mtime_ns(number))
        finally:
            os.close(file)


def _check(tags: int, history: GitHistory, numbers: Sequence[int]) -> None:
    for number in numbers:
        if read_tag(tags, number, history.whose) != history.tag(number):
            raise CorruptKata(f"tag {number} of {history.whose} is not in its file what it is in git")
