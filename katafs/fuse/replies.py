"""What replies carry, in the protocol's structures."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from katafs.fuse import wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from katafs.fuse.operations import Attributes, Opened, Statistics

_SECOND_NS = 1_000_000_000
_32_BITS = 0xFFFFFFFF


def entry(told: Attributes) -> bytes:
    """The entry of a name."""
    seconds, nanoseconds = _timeout(told.timeout_s)
    number, atime_ns, mtime_ns, ctime_ns = told.number, told.atime_ns, told.mtime_ns, told.ctime_ns
    return wire.ENTRY_OUT.pack(
        number, told.generation, seconds, seconds, nanoseconds, nanoseconds,
        number, told.size, told.blocks,
        atime_ns // _SECOND_NS, mtime_ns // _SECOND_NS, ctime_ns // _SECOND_NS,
        atime_ns % _SECOND_NS, mtime_ns % _SECOND_NS, ctime_ns % _SECOND_NS,
        told.mode, told.links & _32_BITS, told.uid, told.gid, told.device & _32_BITS, told.block_size, 0,
    )  # fmt: skip


def absence(timeout_s: float) -> bytes:
    """The entry of a name that isn't there: node 0."""
    seconds, nanoseconds = _timeout(timeout_s)
    return wire.ENTRY_OUT.pack(0, 0, seconds, 0, nanoseconds, 0, *[0] * 16)


def attributes(told: Attributes) -> bytes:
    """The attributes of an inode."""
    seconds, nanoseconds = _timeout(told.timeout_s)
    atime_ns, mtime_ns, ctime_ns = told.atime_ns, told.mtime_ns, told.ctime_ns
    return wire.ATTR_OUT.pack(
        seconds, nanoseconds,
        told.number, told.size, told.blocks,
        atime_ns // _SECOND_NS, mtime_ns // _SECOND_NS, ctime_ns // _SECOND_NS,
        atime_ns % _SECOND_NS, mtime_ns % _SECOND_NS, ctime_ns % _SECOND_NS,
        told.mode, told.links & _32_BITS, told.uid, told.gid, told.device & _32_BITS, told.block_size, 0,
    )  # fmt: skip


@functools.lru_cache(maxsize=64)
def _timeout(seconds: float) -> tuple[int, int]:
    return int(seconds), int(seconds % 1 * _SECOND_NS)


def opened(file: Opened, backing: int = 0) -> bytes:
    """An open file; with a backing id one that the kernel reads and writes itself, and keeps nothing of."""
    if backing:
        return wire.OPEN_OUT.pack(file.handle, wire.FOPEN_PASSTHROUGH, backing)
    if file.streams:
        return wire.OPEN_OUT.pack(file.handle, wire.FOPEN_DIRECT_IO | wire.FOPEN_NONSEEKABLE, 0)
    return wire.OPEN_OUT.pack(file.handle, wire.FOPEN_KEEP_CACHE if file.keep_cache else 0, 0)


def opened_directory(handle: int) -> bytes:
    """An open directory."""
    return wire.OPEN_OUT.pack(handle, 0, 0)


def written(size_bytes: int) -> bytes:
    """How much of a write was written."""
    return wire.WRITE_OUT.pack(size_bytes)


def statistics(figures: Statistics) -> bytes:
    """The figures of a file system."""
    return wire.STATFS_OUT.pack(
        figures.f_blocks, figures.f_bfree, figures.f_bavail, figures.f_files, figures.f_ffree,
        figures.f_bsize, figures.f_namemax, figures.f_frsize,
    )  # fmt: skip


def names(listed: Sequence[bytes]) -> bytes:
    """The names of extended attributes."""
    return b"".join(name + b"\0" for name in listed)


class Entries:
    """The reply to READDIRPLUS: entries with their attributes, up to the size that the kernel has room for."""

    def __init__(self, size_bytes: int) -> None:
        self._left = size_bytes
        self._parts: list[bytes] = []

    def add(self, name: bytes, told: Attributes, following: int) -> bool:
        """Whether the entry had room."""
        length = len(name)
        padding = -length % 8
        size = wire.ENTRY_OUT.size + wire.DIRENT.size + length + padding
        if size > self._left:
            return False
        self._left -= size
        lead = _UNCOUNTED if name in _DOTS else entry(told)
        dirent = wire.DIRENT.pack(told.number, following, length, told.mode >> 12 & 0o17)
        self._parts += (lead, dirent, name, _PADDING[padding])
        return True

    def content(self) -> bytes:
        """The entries up to now."""
        return b"".join(self._parts)


_DOTS = (b".", b"..")
_UNCOUNTED = bytes(wire.ENTRY_OUT.size)
"""Node 0: the kernel takes the entry for no lookup."""
_PADDING = [bytes(size) for size in range(8)]
