"""What replies carry, in the protocol's structures; or the errno that they are where they carry nothing."""

from __future__ import annotations

import errno
import functools
import os
import stat
from typing import TYPE_CHECKING

from katafs.fuse import wire
from katafs.fuse.operations import Absent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from katafs.fuse.operations import Attributes, Opened

_SECOND_NS = 1_000_000_000
_32_BITS = 0xFFFFFFFF
_AT_ONCE = (0, 0)


def entry(told: Attributes) -> bytes:
    """The entry of a name."""
    seconds, nanoseconds = _timeout(told.timeout_s)
    kept = _AT_ONCE if told.unasked else (seconds, nanoseconds)
    number, status, ctime_ns = told.number, told.status, told.ctime_ns
    mode, _, _, _, uid, gid, size, atime_s, mtime_s, _ = status
    return wire.ENTRY_OUT.pack(
        number, told.generation, seconds, kept[0], nanoseconds, kept[1],
        number, size, status.st_blocks,
        atime_s, mtime_s, ctime_ns // _SECOND_NS,
        status.st_atime_ns % _SECOND_NS, status.st_mtime_ns % _SECOND_NS, ctime_ns % _SECOND_NS,
        mode, told.links & _32_BITS, uid, gid, status.st_rdev & _32_BITS, status.st_blksize, 0,
    )  # fmt: skip


def found(told: Attributes | Absent) -> bytes | int:
    """The entry of a name that was looked up. Of one that isn't there it is an entry of node 0 if that may be kept."""
    if type(told) is not Absent:
        return entry(told)  # type: ignore[arg-type]  # mypy doesn't narrow by this check
    if not told.timeout_s:
        return errno.ENOENT
    seconds, nanoseconds = _timeout(told.timeout_s)
    return wire.ENTRY_OUT.pack(0, 0, seconds, 0, nanoseconds, 0, *[0] * 16)


def attributes(told: Attributes) -> bytes:
    """The attributes of an inode."""
    seconds, nanoseconds = _timeout(told.timeout_s)
    status, ctime_ns = told.status, told.ctime_ns
    mode, _, _, _, uid, gid, size, atime_s, mtime_s, _ = status
    return wire.ATTR_OUT.pack(
        seconds, nanoseconds,
        told.number, size, status.st_blocks,
        atime_s, mtime_s, ctime_ns // _SECOND_NS,
        status.st_atime_ns % _SECOND_NS, status.st_mtime_ns % _SECOND_NS, ctime_ns % _SECOND_NS,
        mode, told.links & _32_BITS, uid, gid, status.st_rdev & _32_BITS, status.st_blksize, 0,
    )  # fmt: skip


@functools.lru_cache(maxsize=64)
def _timeout(seconds: float) -> tuple[int, int]:
    return int(seconds), int(seconds % 1 * _SECOND_NS)


def opened(file: Opened, backing: int = 0, *, may_bypass: bool = False, only_read: bool = False) -> bytes:
    """An open file; with a backing id one that the kernel reads and writes itself, and keeps nothing of. `may_bypass`:
    whether one that isn't to be cached can still be mapped and shared. `only_read`: whether nothing can be written
    through it, so that its close has nothing to bring to the volume. The kernel would wait there for what others write
    and sync, and give their errors to who has only read."""
    flags = wire.FOPEN_NOFLUSH if only_read else 0
    if backing:
        return wire.OPEN_OUT.pack(file.handle, flags | wire.FOPEN_PASSTHROUGH, backing)
    if file.streams:
        return wire.OPEN_OUT.pack(file.handle, flags | wire.FOPEN_DIRECT_IO | wire.FOPEN_NONSEEKABLE, 0)
    if file.uncached and may_bypass:
        flags |= wire.FOPEN_DIRECT_IO
    if file.keep_cache:
        flags |= wire.FOPEN_KEEP_CACHE
    return wire.OPEN_OUT.pack(file.handle, flags, 0)


def opened_directory(handle: int) -> bytes:
    """An open directory."""
    return wire.OPEN_OUT.pack(handle, 0, 0)


def written(size_bytes: int) -> bytes:
    """How much of a write was written."""
    return wire.WRITE_OUT.pack(size_bytes)


def without_holes(told: Attributes, offset: int, whence: int) -> bytes | int:
    """lseek(2) in a file that is all data, with a hole at its end as every file has."""
    size_bytes = told.status.st_size
    if not 0 <= offset < size_bytes:
        return errno.ENXIO
    return wire.LSEEK_OUT.pack(offset if whence == os.SEEK_DATA else size_bytes)


def statistics(figures: os.statvfs_result) -> bytes:
    """The figures of a file system."""
    return wire.STATFS_OUT.pack(
        figures.f_blocks, figures.f_bfree, figures.f_bavail, figures.f_files, figures.f_ffree,
        figures.f_bsize, figures.f_namemax, figures.f_frsize,
    )  # fmt: skip


def names(listed: Sequence[bytes]) -> bytes:
    """The names of extended attributes."""
    return b"".join(name + b"\0" for name in listed)


def fitting(value: bytes | None, room: int) -> bytes | int:
    """An extended attribute or their names, or only the size where no room is given (xattr(7)). Raises ERANGE."""
    if value is None:
        return errno.ENODATA
    if room == 0:
        return wire.XATTR_SIZE_OUT.pack(len(value))
    if len(value) > room:
        raise OSError(errno.ERANGE, os.strerror(errno.ERANGE))
    return value


class Entries:
    """The reply to READDIRPLUS: entries with their attributes, up to the size that the kernel has room for."""

    def __init__(self, size_bytes: int) -> None:
        self.given_within: AbstractContextManager[None] | None = None
        """What the reply is to be given in a `with` of."""
        self._left = size_bytes
        self._parts: list[bytes] = []

    def room_for(self, names: Sequence[bytes]) -> int:
        """How many entries of these names, from the first one on, have room."""
        left = self._left
        for count, name in enumerate(names):
            left -= _ENTRY_BYTES + (len(name) + 7 & ~7)
            if left < 0:
                return count
        return len(names)

    def add(self, names: Sequence[bytes], told: Sequence[Attributes], following: int) -> None:
        """Take in as many entries as are told of. `following` is the number to go on with after the first of them."""
        for number, (name, each) in enumerate(zip(names, told, strict=False), following):
            self._add(name, entry(each), each.number, number, each.status.st_mode)

    def add_unknown(self, name: bytes, number: int, following: int, mode: int = stat.S_IFDIR) -> None:
        """Take in a directory, or what else the mode says, of which only the inode number is known."""
        self._add(name, _UNCOUNTED, number, following, mode)

    def give_within(self, giving: AbstractContextManager[None]) -> None:
        """Have the reply given in a `with` of this."""
        self.given_within = giving

    def _add(self, name: bytes, lead: bytes, number: int, following: int, mode: int) -> None:
        length = len(name)
        padding = -length % 8
        self._left -= _ENTRY_BYTES + length + padding
        dirent = wire.DIRENT.pack(number, following, length, mode >> 12)
        self._parts += (lead, dirent, name, _PADDING[padding])

    def is_empty(self) -> bool:
        """Whether nothing was added."""
        return not self._parts

    def content(self) -> bytes:
        """The entries up to now."""
        return b"".join(self._parts)


_ENTRY_BYTES = wire.ENTRY_OUT.size + wire.DIRENT.size
_UNCOUNTED = bytes(wire.ENTRY_OUT.size)
"""Node 0: the kernel takes the entry for no lookup."""
_PADDING = [bytes(size) for size in range(8)]
