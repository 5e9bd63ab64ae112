"""The calls of Linux that `os` lacks or hides, raising OSError as `os` does."""

import ctypes
import os
import struct
from dataclasses import dataclass

LIBC = ctypes.CDLL(None, use_errno=True)

O_TMPFILE = 0o20000000 | os.O_DIRECTORY
ST_NOSUID, ST_NODEV = 2, 4
AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_SYMLINK_FOLLOW = 0x400
AT_EMPTY_PATH = 0x1000
RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT = 1, 2, 4
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2
FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_COLLAPSE_RANGE, FALLOC_ZERO_RANGE = 1, 2, 8, 16
MS_ASYNC, MS_SYNC = 1, 4
GETDENTS_HEADER = struct.Struct("=QqHB")


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


@dataclass(frozen=True)
class Entry:
    """One name of a directory as the kernel gives it; `offset` is where the next one starts."""

    inode: int
    offset: int
    kind: int
    name: bytes


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def renameat2(source: str | bytes, target: str | bytes, flags: int) -> None:
    _checked(LIBC.renameat2(AT_FDCWD, os.fsencode(source), AT_FDCWD, os.fsencode(target), flags))


def linkat(source_fd: int, source: str | bytes, target: str | bytes, flags: int) -> None:
    _checked(LIBC.linkat(source_fd, os.fsencode(source), AT_FDCWD, os.fsencode(target), flags))


def utimensat(
    name: str | bytes, atime: tuple[int, int], mtime: tuple[int, int], flags: int = 0, dir_fd: int = AT_FDCWD
) -> None:
    """Both times as (seconds, nanoseconds), the latter UTIME_NOW or UTIME_OMIT where wanted."""
    stamps = (_Timespec * 2)(_Timespec(*atime), _Timespec(*mtime))
    _checked(LIBC.utimensat(dir_fd, os.fsencode(name), stamps, flags))


def futimens(fd: int, atime: tuple[int, int], mtime: tuple[int, int]) -> None:
    stamps = (_Timespec * 2)(_Timespec(*atime), _Timespec(*mtime))
    _checked(LIBC.futimens(fd, stamps))


def truncate(name: str | bytes, size_bytes: int) -> None:
    """PyPy's os.truncate opens the file and cuts that, which waits where it is a FIFO."""
    _checked(LIBC.truncate(os.fsencode(name), ctypes.c_int64(size_bytes)))


def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    _checked(LIBC.fallocate(fd, mode, ctypes.c_int64(offset), ctypes.c_int64(length)))


def getxattr_into(name: str, key: str, size_bytes: int) -> int:
    """getxattr with a buffer of that size; the length of the value."""
    buffer = ctypes.create_string_buffer(size_bytes) if size_bytes else None
    return _checked(LIBC.getxattr(os.fsencode(name), os.fsencode(key), buffer, ctypes.c_size_t(size_bytes)))


def has_birth_time(name: str) -> bool:
    """Whether statx says when the file was made."""
    statx_btime = 0x800
    answer = ctypes.create_string_buffer(256)
    _checked(LIBC.statx(AT_FDCWD, os.fsencode(name), 0, statx_btime, answer))
    return bool(struct.unpack_from("=I", answer.raw)[0] & statx_btime)


def getdents(fd: int, size_bytes: int = 32768) -> list[Entry]:
    """The next names of an open directory, [] at its end."""
    buffer = ctypes.create_string_buffer(size_bytes)
    filled = _checked(LIBC.getdents64(fd, buffer, size_bytes))
    content = buffer.raw  # PyPy's struct reads no ctypes array
    entries, position = [], 0
    while position < filled:
        inode, offset, length, kind = GETDENTS_HEADER.unpack_from(content, position)
        name = content[position + GETDENTS_HEADER.size : position + length].split(b"\0", 1)[0]
        entries.append(Entry(inode, offset, kind, name))
        position += length
    return entries


def all_dents(fd: int, size_bytes: int = 32768) -> list[Entry]:
    """Every name from the descriptor's position on."""
    entries: list[Entry] = []
    while more := getdents(fd, size_bytes):
        entries += more
    return entries
