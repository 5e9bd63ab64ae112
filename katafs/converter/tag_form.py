"""A kata's avatars without git: their tags as files in the kata's volume, beside `.git` or in its place.

A kill at any moment leaves an avatar with its git, or with all of its tags as files, or with both.
"""

import os
import secrets
from dataclasses import dataclass

from katafs.converter.avatar_tags import TEMPORARY, GitHistory, add_tag_files, has_git, numbers_in_files
from katafs.converter.results import Outcome
from katafs.errors import CorruptKata, IncrementsMissing, KatafsError, LeftBehind, StoreUnreachable
from katafs.kata_id import AvatarName, KataId
from katafs.namespace import GIT_NAME
from katafs.rooted import files, inodes, names
from katafs.rooted.removing import remove_tree
from katafs.storers.avatars import AvatarsStorer
from katafs.storers.locks import alone
from katafs.storers.places import Places
from katafs.untrusted.refs import tag_numbers
from katafs.volumes.store import VolumeStore

_ASIDE = b".katafs-git-"
"""Before the name of a `.git` that is out of everybody's way while it is asked whether it has got more tags."""
_DROPPED = b".katafs-dropped-"
"""Before that of one that hasn't and is being removed, since half of one would be taken for a damaged history."""


@dataclass(frozen=True)
class AvatarOutcome:
    """What came of one avatar."""

    avatar: AvatarName
    outcome: Outcome
    """STORED; ALREADY, where there was nothing to do; or REFUSED, and nothing was changed, for the `reason`."""
    tags: int = 0
    """How many tags there are as files."""
    reason: str = ""


def store_as_tags(store: VolumeStore, kata: KataId, *, drop_git: bool) -> list[AvatarOutcome]:
    """Store every avatar of a kata in the git-free form. With `drop_git` its `.git` goes when all of its tags were read
    back equal to what git says.

    An avatar that git doesn't keep, and that has no tags as files, isn't in the answer. Raises KataNotFound,
    StoreUnreachable, VolumeRefused."""
    places = Places(store)
    avatars = AvatarsStorer(store).started_avatars(kata)
    found = (_outcome(places, kata, avatar, drop_git) for avatar in avatars)
    return [outcome for outcome in found if outcome is not None]


def _outcome(places: Places, kata: KataId, avatar: AvatarName, drop_git: bool) -> AvatarOutcome | None:
    whose = f"avatar {avatar} of kata {kata}"
    try:
        with places.avatar(kata, avatar) as directory, alone(directory, whose):
            return _stored(directory, avatar, whose, drop_git)
    except StoreUnreachable:
        raise
    except IncrementsMissing:
        return None  # the avatar is nothing but a sandbox's volume
    except KatafsError as fault:
        return AvatarOutcome(avatar, Outcome.REFUSED, reason=str(fault))
    except OSError as problem:
        return AvatarOutcome(avatar, Outcome.REFUSED, reason=f"{whose}: {problem.strerror}")


def _stored(directory: int, avatar: AvatarName, whose: str, drop_git: bool) -> AvatarOutcome | None:
    before_ns = os.fstat(directory).st_mtime_ns
    try:
        _sweep(directory)
        if not has_git(directory):
            count = len(numbers_in_files(directory))
            return AvatarOutcome(avatar, Outcome.ALREADY, count) if count else None
        history = GitHistory(directory, whose)
        changed = add_tag_files(history)
        if drop_git:
            _drop_git(history)
        outcome = Outcome.STORED if changed or drop_git else Outcome.ALREADY
        return AvatarOutcome(avatar, outcome, len(numbers_in_files(directory)))
    finally:
        # What the avatar's directory says of its age is the avatar's, and goes into backups.
        if os.fstat(directory).st_mtime_ns != before_ns:
            inodes.set_times(directory, None, before_ns)


def _sweep(directory: int) -> None:
    """Remove what an earlier kill left, and put back what it took away."""
    for name in names.listing(directory):
        if name.startswith(_ASIDE) and not files.status_of(directory, GIT_NAME):
            names.rename(directory, name, directory, GIT_NAME, names.RENAME_NOREPLACE)
        elif name.startswith((TEMPORARY, _DROPPED)) and files.is_directory(directory, name):
            remove_tree(directory, name)


def _drop_git(history: GitHistory) -> None:
    """Remove an avatar's git. Raises CorruptKata where it has got more tags meanwhile."""
    token = secrets.token_hex(8).encode()
    aside, dropped = _ASIDE + token, _DROPPED + token
    names.rename(history.avatar, GIT_NAME, history.avatar, aside, names.RENAME_NOREPLACE)
    try:
        with files.opened_directory(history.avatar, aside) as git:
            if tag_numbers(git) != history.numbers:
                raise CorruptKata(f"{history.whose} ran its tests meanwhile")
        names.rename(history.avatar, aside, history.avatar, dropped, names.RENAME_NOREPLACE)
    except BaseException:
        names.rename(history.avatar, aside, history.avatar, GIT_NAME, names.RENAME_NOREPLACE)
        raise
    try:
        files.sync_directory(history.avatar)
        remove_tree(history.avatar, dropped)
    except OSError as problem:
        left = f"{dropped.decode()}, its git, can't be removed: {problem.strerror}"
        raise LeftBehind(f"{history.whose} has all of its tags as files, but {left}") from problem
