"""The Linux calls that `os` lacks: openat2(2), renameat2(2), utimensat(2) and fchownat(2) on a descriptor, setfsuid(2),
fallocate(2), syncfs(2), open_tree(2).

What Linux 5.4 lacks of them is made of other calls there, which take longer.
"""

import contextlib
import ctypes
import errno
import functools
import os
import re
import struct
import sys

from katafs.rooted import descriptors
from katafs.rooted.answer import answer

_libc = ctypes.CDLL(None, use_errno=True)

AT_EMPTY_PATH = 0x1000
UTIME_NOW_NS = (1 << 30) - 1
UTIME_OMIT_NS = (1 << 30) - 2

NOW_NS = 1 << 100
"""In the place of a time that is to be set: the kernel's own now. time.time_ns() is some ms ahead of that clock: a file
that is made afterwards would be older."""

_SYS_OPEN_TREE = 428
_SYS_OPENAT2 = 437
"""The numbers are the same on every architecture: calls added since 2019 share one table."""
_OPEN_TREE_CLONE = 1
_AT_FDCWD = -100
_RESOLVE_NO_XDEV = 0x01
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_OPEN_HOW = struct.Struct("QQQ")
"""Flags, mode, and how names are resolved (openat2(2), struct open_how)."""
_RESOLVE = _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS | _RESOLVE_NO_XDEV
_NO_ID = 0xFFFFFFFF
"""-1 among user and group ids (chown(2), setfsuid(2))."""
_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 1 << 2


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


_libc.renameat2.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
_libc.utimensat.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(_Timespec), ctypes.c_int)
_libc.fchownat.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_int)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_libc.syncfs.argtypes = (ctypes.c_int,)

if sys.implementation.name == "pypy":
    from katafs.pypy import last_errno
    from katafs.pypy import libc as _frequent
else:
    _frequent, last_errno = _libc, ctypes.get_errno
    _frequent.setfsuid.restype = _frequent.setfsgid.restype = ctypes.c_uint32
# So frequent that the way counts. Numbers are ints and texts bytes here, which ctypes takes by itself: with `argtypes`
# a call took half as long again.
_syscall, _setfsuid, _setfsgid = _frequent.syscall, _frequent.setfsuid, _frequent.setfsgid


def _checked(result: int, name: bytes = b"") -> int:
    if result < 0:
        raise answer(ctypes.get_errno(), name)
    return result


def open_inside(directory: int, name: bytes, flags: int, mode: int = 0) -> int:
    """openat2(2) of one name that follows no link and crosses no mount point.

    Raises OSError(ELOOP) where an open for I/O meets a symbolic link, OSError(EXDEV) at a mount point."""
    opened: int = _syscall(_SYS_OPENAT2, directory, name, _how(flags, mode), _OPEN_HOW.size)
    if opened >= 0:
        return opened
    number = last_errno()
    if number == errno.ENOSYS:
        return _open_inside_before_5_6(directory, name, flags, mode)
    raise answer(number, name)


def open_inside_if_there(directory: int, name: bytes, flags: int) -> int | None:
    """The same of a name that may well not be there: None then. An exception takes several times as long."""
    opened: int = _syscall(_SYS_OPENAT2, directory, name, _how(flags, 0), _OPEN_HOW.size)
    if opened >= 0:
        return opened
    number = last_errno()
    if number == errno.ENOSYS:
        with contextlib.suppress(FileNotFoundError):
            return _open_inside_before_5_6(directory, name, flags, 0)
    elif number != errno.ENOENT:
        raise answer(number, name)
    return None


def _open_inside_before_5_6(directory: int, name: bytes, flags: int, mode: int) -> int:
    """One name leads to itself, or to what is mounted on it, and nowhere else as long as no link is followed."""
    if b"/" in name or name == b"..":
        raise answer(errno.EXDEV, name)
    opened = os.open(name, flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode, dir_fd=directory)
    try:
        if not flags & os.O_EXCL and descriptors.mount_number(opened) != descriptors.mount_number(directory):
            raise answer(errno.EXDEV, name)
    except BaseException:
        os.close(opened)
        raise
    return opened


@functools.lru_cache(maxsize=256)
def _how(flags: int, mode: int) -> bytes:
    return _OPEN_HOW.pack(flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode, _RESOLVE)


def clone_mount(path: bytes) -> int:
    """open_tree(2): an O_PATH descriptor of a private copy of the mount that covers the path, without what is mounted
    below it. The copy lasts as long as descriptors of what is in it. Raises OSError(EPERM) without CAP_SYS_ADMIN."""
    return _checked(_libc.syscall(_SYS_OPEN_TREE, _AT_FDCWD, path, _OPEN_TREE_CLONE | os.O_CLOEXEC), path)


def rename(old_directory: int, old_name: bytes, new_directory: int, new_name: bytes, flags: int) -> None:
    """renameat2(2); `flags` are RENAME_NOREPLACE (1) and RENAME_EXCHANGE (2)."""
    _checked(_libc.renameat2(old_directory, old_name, new_directory, new_name, flags), old_name)


def set_times(descriptor: int, atime_ns: int | None, mtime_ns: int | None) -> None:
    """utimensat(2) on an inode itself, a symbolic link included. Nanoseconds since 1970; None leaves a time alone."""
    times = (_Timespec * 2)(_timespec(atime_ns), _timespec(mtime_ns))
    _set_times(descriptor, times)


def touch_modified(descriptor: int) -> None:
    """Set mtime to the kernel's own now, as it does itself when an entry of a directory changes."""
    _set_times(descriptor, (_Timespec * 2)(_Timespec(0, UTIME_OMIT_NS), _Timespec(0, UTIME_NOW_NS)))


def _set_times(descriptor: int, times: ctypes.Array[_Timespec]) -> None:
    done = _libc.utimensat(descriptor, b"", times, AT_EMPTY_PATH)
    if done < 0 and ctypes.get_errno() == errno.EINVAL:  # before Linux 5.8 it doesn't know the flag
        done = _libc.utimensat(_AT_FDCWD, descriptors.path(descriptor).encode(), times, 0)
    _checked(done)


def _timespec(time_ns: int | None) -> _Timespec:
    if time_ns is None:
        return _Timespec(0, UTIME_OMIT_NS)
    if time_ns == NOW_NS:
        return _Timespec(0, UTIME_NOW_NS)
    return _Timespec(*divmod(time_ns, 1_000_000_000))


def set_owner(descriptor: int, uid: int, gid: int) -> None:
    """fchownat(2) on an inode itself; -1 leaves an id alone."""
    _checked(_libc.fchownat(descriptor, b"", uid & _NO_ID, gid & _NO_ID, AT_EMPTY_PATH))


def allocate(descriptor: int, mode: int, offset: int, size_bytes: int) -> None:
    """fallocate(2); `mode` are its flags, of which posix_fallocate(3) has none."""
    _checked(_libc.fallocate(descriptor, mode, offset, size_bytes))


def sync_file_system(descriptor: int) -> None:
    """syncfs(2) of the file system that holds a descriptor, which must not be an O_PATH one.

    Raises OSError(EIO) where something couldn't be written; of files' content only where `syncfs_tells_of_content`."""
    _checked(_libc.syncfs(descriptor))


def syncfs_tells_of_content() -> bool:
    """Whether it raises for what a file's content lost: from Linux 5.8 on. Before, only fsync(2) of the file does."""
    numbers = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= (5, 8)


def file_system_ids() -> tuple[int, int]:
    """The uid and gid that the calling thread makes files as. setfsuid(2) tells which it was, and no id is -1.

    Of who may not make the call (seccomp(2), SystemCallFilter= of a service) an errno, which looks like an id."""
    return _setfsuid(_NO_ID), _setfsgid(_NO_ID)


def set_file_system_ids(uid: int, gid: int) -> None:
    """setfsgid(2) and setfsuid(2) of the calling thread. They report no errors, so what they did is asked for."""
    _setfsgid(gid)
    _setfsuid(uid)
    if file_system_ids() != (uid, gid):
        raise answer(errno.EPERM)


def keep_capabilities() -> None:
    """Keep this thread's capabilities, and those of threads it starts, when its file-system uid changes.

    Raises OSError(EPERM) without CAP_SETPCAP (capabilities(7), SECBIT_NO_SETUID_FIXUP)."""
    _checked(_libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
