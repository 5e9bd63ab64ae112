"""An export's own copy of a kata, in one of the two forms: every avatar with git, or every one without.

Knows no volume: what it changes is the copy.
"""

import os
from collections.abc import Callable

from katafs.converter.avatar_tags import (
    GitHistory,
    add_tag_files,
    check_tag_files,
    has_git,
    numbers_in_files,
)
from katafs.converter.rebuilt_git import rebuild_git
from katafs.errors import CorruptKata
from katafs.kata_id import AvatarName, KataId, avatar_name
from katafs.namespace import GIT_NAME, TAGS_NAME
from katafs.rooted import files, inodes, names
from katafs.rooted.removing import remove_own_tree
from katafs.storers.places import named_faults


def to_host_disk(staged: int, kata: KataId) -> None:
    """Give every avatar that has tags as files its git in their place, and leave alone every other.

    Raises CorruptKata, TooLarge, GitFailed, StoreFull."""
    _each_avatar(staged, kata, _with_git)


def to_tags(staged: int, kata: KataId) -> None:
    """Give every avatar that has git its tags as files in its place, and leave alone every other.

    Raises CorruptKata, TooLarge, BadContent, StoreFull."""
    _each_avatar(staged, kata, _without_git)


def _each_avatar(staged: int, kata: KataId, change: Callable[[int, KataId, AvatarName], None]) -> None:
    for entry in sorted(names.listing(staged)):
        avatar = avatar_name(os.fsdecode(entry))
        if avatar is None or not files.is_directory(staged, entry):
            continue
        with named_faults(f"avatar {avatar} of kata {kata}"), files.opened_directory(staged, entry) as directory:
            mtime_ns = os.fstat(directory).st_mtime_ns
            change(directory, kata, avatar)
            inodes.set_times(directory, None, mtime_ns)


def _with_git(directory: int, kata: KataId, avatar: AvatarName) -> None:
    if not numbers_in_files(directory):
        return
    whose = f"avatar {avatar} of kata {kata}"
    if has_git(directory):
        check_tag_files(GitHistory(directory, whose))
        remove_own_tree(directory, TAGS_NAME)
    elif files.status_of(directory, GIT_NAME) is not None:
        raise CorruptKata(f"the .git of {whose} is not a directory")
    else:
        rebuild_git(directory, kata, avatar)


def _without_git(directory: int, kata: KataId, avatar: AvatarName) -> None:
    if has_git(directory):
        add_tag_files(GitHistory(directory, f"avatar {avatar} of kata {kata}"))
        remove_own_tree(directory, GIT_NAME)
