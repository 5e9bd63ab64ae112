"""A start of an avatar that a kill doesn't leave half done for ever: until tag 0 is stored, a mark is in its directory.

The mark comes with the avatar's name, in one step, and is on the disk before it. Whoever starts the avatar holds its
directory's lock, so that a mark without tag 0 whose lock is free is of a start that nobody goes on with: the name may
be taken again. A directory that has neither was made by others, as the empty ones in old katas: it is never touched.
"""

import contextlib
import os
import time
from collections.abc import Iterator

from katafs.errors import CorruptKata
from katafs.namespace import GIT_NAME, TAGS_NAME
from katafs.rooted import files, names
from katafs.rooted.removing import remove_all, remove_tree
from katafs.storers.locks import alone
from katafs.untrusted.files import directory

_MARK = files.TEMPORARY_PREFIX + b"starting"
_DIRECTORY_MODE = 0o777
_LASTING_S = 60
"""A start that is younger goes on, whatever its lock: a storer on a mounted tree has other locks than one behind it.
What is to begin later than that was begun before the clock was set back."""
_TAGS_0 = (((TAGS_NAME,), b"0.json"), ((GIT_NAME, b"refs", b"tags"), b"0"), ((GIT_NAME,), b"packed-refs"))
"""Where tag 0 of an avatar may be, each a directory and a name in it."""


@contextlib.contextmanager
def taken(top: int, avatar: bytes) -> Iterator[int | None]:
    """Take a name and hold its lock: a descriptor of its new directory, or None where the name isn't free."""
    temporary = files.temporary_name()
    names.make_directory(top, temporary, _DIRECTORY_MODE)
    moved = False
    try:
        with files.opened_directory(top, temporary) as made, alone(made, "the directory of a new avatar"):
            os.close(names.create_file(made, _MARK, os.O_WRONLY, 0o666))
            files.sync_directory(made)
            with contextlib.suppress(FileExistsError):
                names.rename(top, temporary, top, avatar, names.RENAME_NOREPLACE)
                moved = True
            yield made if moved else None
    finally:
        if not moved:
            remove_tree(top, temporary)


def complete(started: int) -> None:
    """Take the mark away from an avatar's directory."""
    names.remove(started, _MARK)


def is_begun(top: int, avatar: bytes) -> bool:
    """Whether there is a start of the avatar that goes on, or was broken off. What another user keeps to themselves is
    taken for started."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        if files.is_directory(top, avatar):
            with files.opened_directory(top, avatar) as found:
                return is_begun_in(top, avatar, found)
    return False


def is_begun_in(top: int, avatar: bytes, found: int) -> bool:
    """The same of the avatar's directory that is open as `found`."""
    # Where the mark has just gone, the name may have gone with it.
    return _begun_s(found) is not None or not files.is_at(top, avatar, found)


@contextlib.contextmanager
def broken_off(top: int, avatar: bytes) -> Iterator[bool]:
    """Whether a start was begun that nobody goes on with. Nobody else can take it in hand meanwhile."""
    with contextlib.ExitStack() as held:
        yield _is_broken_off(top, avatar, held)


def _is_broken_off(top: int, avatar: bytes, held: contextlib.ExitStack) -> bool:
    if not files.is_directory(top, avatar):
        return False
    try:
        found = held.enter_context(files.opened_directory(top, avatar))
        begun_s = _begun_s(found)
        if begun_s is None or abs(time.time() - begun_s) < _LASTING_S:
            return False
        held.enter_context(files.locked(found, within_s=0))
        # Before the lock was had it may have been given back, and that killed, and the name taken anew.
        return files.is_at(top, avatar, found) and _begun_s(found) is not None
    except (FileNotFoundError, PermissionError, BlockingIOError):
        return False


def _begun_s(found: int) -> float | None:
    """When a start was begun that has no tag 0 yet (seconds since 1970); None for every other directory."""
    mark = files.status_of(found, _MARK)
    return None if mark is None or _has_tag_0(found) else mark.st_mtime


def _has_tag_0(avatar: int) -> bool:
    try:
        return any(_has(avatar, way, name) for way, name in _TAGS_0)
    except CorruptKata:
        return True  # what no start has made


def _has(avatar: int, way: tuple[bytes, ...], name: bytes) -> bool:
    with contextlib.suppress(FileNotFoundError), directory(avatar, *way) as place:
        return files.status_of(place, name) is not None
    return False


def give_back(top: int, avatar: bytes) -> None:
    """Remove an avatar's directory, the mark and the name in one step: a kill leaves a start that was broken off."""
    with files.opened_directory(top, avatar) as found:
        remove_all(found, but=_MARK)
    temporary = files.temporary_name()
    names.rename(top, avatar, top, temporary, names.RENAME_NOREPLACE)
    remove_tree(top, temporary)
