"""Whole files below a directory's descriptor, read at once and replaced at once, and what is asked of directories.

A file is replaced by a new one that takes its name when the disk has all of it, so that no full disk, kill or power cut
leaves half of it, and no reader meets half of it.
"""

import contextlib
import errno
import fcntl
import math
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator

from katafs.rooted import descriptors, inodes, names, syscalls
from katafs.rooted.answer import answer

TEMPORARY_PREFIX = b".katafs-"
"""A kill in the middle of a write leaves a file that begins so; nothing reads it, and it may be deleted."""

_TEMPORARY = re.compile(re.escape(TEMPORARY_PREFIX) + rb"[0-9a-f]{16}")
"""What `temporary_name` gives."""
_BETWEEN_TRIES_S = 0.01
"""flock(2) knows no time limit."""


def open_directory(directory: int, name: bytes) -> int:
    """An O_PATH descriptor of the directory, the caller's to close. Raises OSError(ENOTDIR) for anything else."""
    return syscalls.open_inside(directory, names.check(name), os.O_PATH | os.O_DIRECTORY)


@contextlib.contextmanager
def opened_directory(directory: int, name: bytes) -> Iterator[int]:
    """The same for the time of a block."""
    descriptor = open_directory(directory, name)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def make_own_directory(directory: int, name: bytes) -> int:
    """Make a directory that nobody else can enter, and open it; the descriptor is the caller's to close.

    Raises OSError(ESTALE) where another has its name by then: whoever may write to `directory` can put one there."""
    names.make_directory(directory, name, 0o700)
    try:
        made = open_directory(directory, name)
        try:
            _refuse_strange(made, name)
        except BaseException:
            os.close(made)
            raise
    except BaseException:
        with contextlib.suppress(OSError):  # it is empty, or somebody else's
            names.remove_directory(directory, name)
        raise
    return made


def _refuse_strange(made: int, name: bytes) -> None:
    status = os.fstat(made)
    if status.st_uid != os.geteuid() or status.st_mode & 0o077 or not names.is_empty(made):
        raise answer(errno.ESTALE, name)


def status_of(directory: int, name: bytes) -> os.stat_result | None:
    """The status of what the name stands for, or None where it stands for nothing."""
    try:
        return os.stat(names.check(name), dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def is_directory(directory: int, name: bytes) -> bool:
    """Whether the name stands for a directory, and not for a link to one."""
    status = status_of(directory, name)
    return status is not None and stat.S_ISDIR(status.st_mode)


def is_at(directory: int, name: bytes, descriptor: int) -> bool:
    """Whether the name stands for what is open as `descriptor`."""
    status = status_of(directory, name)
    return status is not None and os.path.samestat(status, os.fstat(descriptor))


def read(directory: int, name: bytes, limit_bytes: int) -> bytes:
    """All of a regular file. Raises OSError(EFBIG) where it is larger than the limit, OSError(ELOOP) for a link and
    OSError(ENXIO) for anything else that isn't a file: a FIFO here would make the reader wait."""
    descriptor = syscalls.open_inside(directory, names.check(name), os.O_RDONLY | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise answer(errno.ENXIO, name)
        if status.st_size > limit_bytes:
            raise answer(errno.EFBIG, name)
        return _read_within(descriptor, status.st_size, limit_bytes, name)
    finally:
        os.close(descriptor)


def _read_within(descriptor: int, size_bytes: int, limit_bytes: int, name: bytes) -> bytes:
    """All there is to read. It may grow meanwhile, so the limit is asked of what comes, and not of the size alone."""
    parts, left = [], limit_bytes + 1
    while left > 0 and (part := os.read(descriptor, min(left, max(size_bytes + 1, 4096)))):
        parts.append(part)
        left -= len(part)
    if left <= 0:
        raise answer(errno.EFBIG, name)
    return b"".join(parts)


def replace(directory: int, name: bytes, content: bytes, *, mode: int | None = None, durable: bool = False) -> None:
    """Make the file be this content, whether it was there or not.

    Its mode is `mode`, else what it was, else what the umask leaves of 0666; its owner stays, where root does this.
    `durable` returns when the disk has its name, too; else that may be the old one's after a power cut, until somebody
    syncs the directory. Raises OSError(EISDIR) at a directory; a link is replaced, not followed."""
    before = status_of(directory, name)
    if before is not None and stat.S_ISDIR(before.st_mode):
        raise answer(errno.EISDIR, name)
    with _temporary(directory, content, _like(before) if before else None, mode) as temporary:
        names.rename(directory, temporary, directory, name, 0)
    if durable:
        sync_directory(directory)


def create(directory: int, name: bytes, content: bytes) -> None:
    """Make a file that wasn't there; of several that try one succeeds. It returns when the disk has it.

    Raises OSError(EEXIST) where the name is taken. After any error it isn't there."""
    with _temporary(directory, content, None, None) as temporary:
        names.rename(directory, temporary, directory, name, names.RENAME_NOREPLACE)
    try:
        sync_directory(directory)
    except BaseException:
        names.remove(directory, name)
        raise


def _like(before: os.stat_result) -> os.stat_result | None:
    return before if stat.S_ISREG(before.st_mode) else None


def temporary_name() -> bytes:
    """A name that nothing has."""
    return TEMPORARY_PREFIX + secrets.token_hex(8).encode()


def is_temporary(directory: int, name: bytes) -> bool:
    """Whether a name is a file that a write has not finished, or that a kill left of one."""
    if not _TEMPORARY.fullmatch(name):
        return False
    status = status_of(directory, name)
    return status is None or stat.S_ISREG(status.st_mode)


@contextlib.contextmanager
def _temporary(directory: int, content: bytes, like: os.stat_result | None, mode: int | None) -> Iterator[bytes]:
    """A file under a name of its own that the disk has all of, which whoever asked for it moves to where it belongs."""
    temporary = temporary_name()
    descriptor = syscalls.open_inside(directory, temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        try:
            _dress(descriptor, like, mode)
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)  # that of a file object keeps PyPy's other threads waiting for the disk
        yield temporary
    except BaseException:
        names.remove(directory, temporary)
        raise


def write_all(descriptor: int, content: bytes) -> None:
    """write(2) until all of it is written."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _dress(descriptor: int, like: os.stat_result | None, mode: int | None) -> None:
    if like is not None:
        inodes.give(descriptor, like)
    wanted = mode if mode is not None else like and stat.S_IMODE(like.st_mode)
    if wanted is not None:
        os.fchmod(descriptor, wanted)


def sync_directory(directory: int) -> None:
    """fsync(2) of a directory: the disk has its names on return."""
    readable = names.open_directory_again(directory)
    try:
        os.fsync(readable)
    finally:
        os.close(readable)


@contextlib.contextmanager
def locked(directory: int, *, within_s: float = math.inf) -> Iterator[None]:
    """Hold a directory's lock (flock(2)): one at a time, also between processes. Waits for whoever has it, or raises
    BlockingIOError where that takes longer. Who can open the directory can hold it, and for ever."""
    readable = names.open_directory_again(directory)
    try:
        _lock(readable, within_s)
        yield
    finally:
        os.close(readable)


def _lock(readable: int, within_s: float) -> None:
    if within_s == math.inf:
        fcntl.flock(readable, fcntl.LOCK_EX)
        return
    end_s = time.monotonic() + within_s
    while not _has_locked(readable):
        if time.monotonic() >= end_s:
            raise answer(errno.EAGAIN)
        time.sleep(_BETWEEN_TRIES_S)


def _has_locked(readable: int) -> bool:
    try:
        fcntl.flock(readable, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def path_of(directory: int) -> str:
    """Where a directory is now, for a program that takes no descriptors. It may be elsewhere a moment later."""
    return os.readlink(descriptors.path(directory))


def parent_of(directory: int) -> tuple[int, bytes]:
    """A descriptor, the caller's to close, of the directory above, and the name there. It leads out of what is below
    `directory`, so it is for directories that no stranger can move. Raises OSError(ENOENT) where it was moved."""
    above = os.open("..", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        name = os.fsencode(os.path.basename(path_of(directory)))
        status = status_of(above, name) if name else None
        if status is None or not os.path.samestat(status, os.fstat(directory)):
            raise answer(errno.ENOENT, name)
    except BaseException:
        os.close(above)
        raise
    return above, name
