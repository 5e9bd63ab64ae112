"""Directories removed with all that is in them, however deep: no link is followed, and no mount point crossed."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from katafs.rooted import files, inodes, names
from katafs.rooted.answer import answer
from katafs.rooted.seen import Seen
from katafs.rooted.walks import walk


def remove_all(directory: int, seen: Seen | None = None, *, but: bytes | None = None) -> None:
    """Remove everything in a directory, `but` one name, however deep, following no link and crossing no mount point.
    Each directory is listed once at most: what comes into one after that stays, and what goes from one is no error.

    With `seen` only what was seen, and is still as it was: anything else stays, and stops it with OSError(ENOTEMPTY).
    Raises OSError(EMFILE) below more directories than may be open at once."""
    held = [(b"", top := os.dup(directory), _names(top, but))]
    """The directories on the way down: each one's name, its descriptor, and what is still to be removed in it."""
    try:
        while True:
            name, here, left = held[-1]
            inner = _remove_plain(here, left, seen)
            if inner is not None:
                with contextlib.suppress(FileNotFoundError):
                    below = files.open_directory(here, inner)
                    held.append((inner, below, _names(below)))
                continue
            if len(held) == 1:
                return
            os.close(held.pop()[1])
            with contextlib.suppress(FileNotFoundError):
                names.remove_directory(held[-1][1], name)
    finally:
        for _, descriptor, _ in held:
            os.close(descriptor)


def _names(directory: int, but: bytes | None = None) -> Iterator[bytes]:
    """A generator, so that a directory is listed when somebody who closes it knows of it."""
    yield from (name for name in names.listing(directory) if name != but)


def _remove_plain(directory: int, left: Iterator[bytes], seen: Seen | None) -> bytes | None:
    """Remove what isn't a directory, and directories that are empty, up to the first name that stands for one that
    isn't; that, or None where none does."""
    for name in left:
        status = files.status_of(directory, name)
        if status is None:
            continue
        if seen is not None and not seen.has(status):
            raise answer(errno.ENOTEMPTY, name)
        if stat.S_ISDIR(status.st_mode):
            if _remove_empty(directory, name):
                continue
            return name
        with contextlib.suppress(FileNotFoundError):
            names.remove(directory, name)
        if seen is not None:
            seen.lost_a_name(status)
    return None


def _remove_empty(directory: int, name: bytes) -> bool:
    """Whether a directory is gone now. An empty one needn't be one that may be listed."""
    try:
        names.remove_directory(directory, name)
    except FileNotFoundError:
        return True
    except OSError as problem:
        if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def remove_tree(directory: int, name: bytes, seen: Seen | None = None) -> None:
    """Remove a directory with all that is in it. Raises as `remove_all`."""
    with files.opened_directory(directory, name) as inside:
        remove_all(inside, seen)
    names.remove_directory(directory, name)


def remove_own_tree(directory: int, name: bytes) -> None:
    """The same of a copy that this process has made, in which a directory may be one that its owner can't write to."""
    with files.opened_directory(directory, name) as inside:
        remove_own(directory, name, inside)


def remove_own(directory: int, name: bytes, inside: int) -> None:
    """The same of one that is open as `inside`. Another that somebody has put in its place stays."""
    if os.geteuid() != 0:
        with contextlib.closing(walk(inside)) as steps:
            for entry, leaving in steps:
                if entry.is_directory and not leaving:
                    inodes.set_mode(entry.descriptor, 0o700)
    remove_all(inside)
    if files.is_at(directory, name, inside):
        names.remove_directory(directory, name)
