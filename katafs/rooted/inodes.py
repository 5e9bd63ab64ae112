"""Operations on one inode behind a descriptor, which may be an O_PATH one."""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator

from katafs.rooted import descriptors, syscalls
from katafs.rooted.answer import answer

touch_modified = syscalls.touch_modified
set_times = syscalls.set_times
set_owner = syscalls.set_owner
allocate = syscalls.allocate

CTIME_GRAIN_NS = 20_000_000
"""Two ticks of the slowest kernel (CONFIG_HZ=100)."""
_OWN = b"trusted.katafs."
"""What the names of katafs' own notes begin with."""
_NAMESPACES = (b"user.", b"trusted.", b"security.", b"system.")
"""Those of xattr(7). In others a file system keeps its own settings (`btrfs.compression`), which another refuses, and
which a new inode has from its directory."""
_NOT_COPIED = (_OWN, b"trusted.SGI_ACL_")
"""By the latter XFS lists an ACL a second time, which comes and goes with the one in `system.`."""
_TIMES = _OWN + b"times"
"""The atime and mtime that a directory gets back once an entry has been put into it."""


def identity_of(status: os.stat_result) -> tuple[int, int]:
    """What tells an inode from every other."""
    return status.st_dev, status.st_ino


def is_settled(status: os.stat_result) -> bool:
    """Whether what changes the inode from now on gives it another ctime. To be asked as soon as the status is there.

    Before Linux 6.13 the kernel stamps files with the time of its last tick: what changes twice within a tick has the
    same ctime after both. It isn't the mtime that is looked at, since rsync and tar set that back."""
    return time.time_ns() - status.st_ctime_ns > CTIME_GRAIN_NS


def give(descriptor: int, like: os.stat_result) -> None:
    """Make an inode belong to whom another belongs to, where root does this; what anybody else makes stays theirs."""
    if os.geteuid() == 0:
        set_owner(descriptor, like.st_uid, like.st_gid)


def open_again(descriptor: int, flags: int, status: os.stat_result | None = None) -> int:
    """Open for I/O what an O_PATH descriptor holds. Raises OSError(ENXIO) for what isn't a regular file: to open a
    device or a FIFO here would act on it, or wait, in the daemon.

    Raises OSError(EAGAIN) while the file's owner has a lease on it (fcntl(2), F_SETLEASE), which this begins to break:
    an open that waited would let a container stop the daemon for lease-break-time, 45 seconds at each open."""
    if not stat.S_ISREG((status or os.fstat(descriptor)).st_mode):
        raise answer(errno.ENXIO)
    try:
        return os.open(descriptors.path(descriptor), flags | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as problem:
        raise answer(problem.errno or errno.EIO) from None  # the descriptor's number would tell nobody anything


def set_mode(descriptor: int, mode: int) -> None:
    """chmod(2). Raises OSError(EOPNOTSUPP) for a symbolic link, as Linux does."""
    os.chmod(descriptors.path(descriptor), mode & 0o7777)


def set_size(descriptor: int, size_bytes: int) -> None:
    """truncate(2) of what an O_PATH descriptor holds. Raises as `open_again` does: truncate(2) waits for leases too."""
    opened = open_again(descriptor, os.O_WRONLY)
    try:
        os.ftruncate(opened, size_bytes)
    finally:
        os.close(opened)


def drop_privilege_bits(descriptor: int) -> None:
    """Clear set-user-ID, and set-group-ID where the group may execute, as an ordinary user's write does."""
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    kept = mode & ~stat.S_ISUID
    if mode & stat.S_IXGRP:
        kept &= ~stat.S_ISGID
    if kept != mode:
        set_mode(descriptor, kept)


@contextlib.contextmanager
def times_kept(directory: int) -> Iterator[None]:
    """Give a directory its atime and mtime back after a change that nobody made who uses it."""
    before = os.fstat(directory)
    try:
        yield
    finally:
        set_times(directory, before.st_atime_ns, before.st_mtime_ns)


@contextlib.contextmanager
def times_kept_through_kills(directory: int) -> Iterator[None]:
    """`times_kept`, also where this process is killed in it or the disk refuses the times: the next who asks
    `give_times_back` does it then. One at a time. Where a file system has no trusted xattrs the times are lost then."""
    give_times_back(directory)
    before = os.fstat(directory)
    is_noted = False
    with contextlib.suppress(OSError):
        set_xattr(directory, _TIMES, b"%d %d" % (before.st_atime_ns, before.st_mtime_ns))
        is_noted = True
    try:
        yield
    finally:
        set_times(directory, before.st_atime_ns, before.st_mtime_ns)  # where that fails, they stay noted
        if is_noted:
            _forget_times(directory)


def give_times_back(directory: int) -> None:
    """Give a directory the times that a kill or a fault in `times_kept_through_kills` took."""
    kept = find_xattr(directory, _TIMES)
    if kept is not None:
        set_times(directory, *map(int, kept.split()))
        _forget_times(directory)


def _forget_times(directory: int) -> None:
    """Raises OSError where the disk refuses: else nobody would know that they are given back once more, whatever has
    changed by then."""
    try:
        remove_xattr(directory, _TIMES)
    except OSError as problem:
        if problem.errno != errno.ENODATA:  # another has given them back by now
            raise


def read_link(descriptor: int) -> bytes:
    """The target of the symbolic link that an O_PATH descriptor holds."""
    return os.fsencode(os.readlink(b"", dir_fd=descriptor))


def get_xattr(descriptor: int, name: bytes, *, is_open: bool = False) -> bytes | None:
    """getxattr(2); None where there is none of the name. `is_open`: whether it isn't an O_PATH descriptor, so that no
    path has to be walked."""
    try:
        return os.getxattr(descriptor if is_open else descriptors.path(descriptor), name)
    except OSError as problem:
        if problem.errno != errno.ENODATA:
            raise
        return None


def find_xattr(descriptor: int, name: bytes) -> bytes | None:
    """The same, and None also where there are no extended attributes at all."""
    try:
        return get_xattr(descriptor, name)
    except OSError as problem:
        if problem.errno != errno.EOPNOTSUPP:
            raise
        return None


def set_xattr(descriptor: int, name: bytes, value: bytes, flags: int = 0) -> None:
    """setxattr(2)."""
    os.setxattr(descriptors.path(descriptor), name, value, flags)


def list_xattrs(descriptor: int) -> list[bytes]:
    """listxattr(2), but for what no copy or backup may have: katafs' own notes on a directory, which are of this one,
    and what is a file system's own matter."""
    listed = map(os.fsencode, os.listxattr(descriptors.path(descriptor)))
    return [name for name in listed if name.startswith(_NAMESPACES) and not name.startswith(_NOT_COPIED)]


def all_xattrs(descriptor: int) -> dict[bytes, bytes]:
    """Names and values of every namespace that the process may see, in no order; none where there are no xattrs."""
    try:
        listed = list_xattrs(descriptor)
    except OSError as problem:
        if problem.errno != errno.EOPNOTSUPP:
            raise
        return {}
    found = {name: find_xattr(descriptor, name) for name in listed}
    return {name: value for name, value in found.items() if value is not None}  # the rest went away since


def remove_xattr(descriptor: int, name: bytes) -> None:
    """removexattr(2)."""
    os.removexattr(descriptors.path(descriptor), name)
