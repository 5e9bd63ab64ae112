"""Asks of mount points. Each function may wait for a dead disk or a daemon that hangs: see `asking`."""

import enum
import errno
import fcntl
import os
import stat
import sys
from dataclasses import dataclass

from katafs.mount.mount_point import TYPE, mounted_types
from katafs.rooted import syscalls
from katafs.rooted.mounts import mounts

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FS_IOC_GETFLAGS = 0x80086601
_FS_IMMUTABLE_FL = 0x10
"""ioctl_iflags(2)."""


class State(enum.Enum):
    """How a mount point is."""

    BARE = "bare"
    SERVED = "served"
    OTHER = "other"
    """Something else is mounted there."""
    DEAD = "dead"
    """ENOTCONN: its daemon ended without unmounting."""
    HANGS = "hangs"


@dataclass(frozen=True)
class Bare:
    """The directory itself, whatever is mounted on it."""

    mode: int
    immutable: bool
    """chattr +i."""
    entries: int


@dataclass(frozen=True)
class Above:
    """Something that is mounted on a directory above a path."""

    path: str
    is_katafs: bool


def all_mounted() -> list[str]:
    """Every path that katafs is mounted on. Reads the kernel's table only."""
    found = (os.fsdecode(mount.point) for mount in mounts() if os.fsdecode(mount.type) == TYPE)
    return list(dict.fromkeys(found))


def mounted_above(path: str) -> list[Above]:
    """What is mounted on the way to an absolute path without symlinks, `/` excepted, the outermost first. Reads the
    kernel's table only."""
    on_the_way = [mount for mount in mounts() if path.startswith(os.fsdecode(mount.point) + "/")]
    return [Above(os.fsdecode(mount.point), mount.type == os.fsencode(TYPE)) for mount in on_the_way]


def is_mounted(path: str) -> bool:
    """Whether anything is mounted on exactly this path. Reads the kernel's table only."""
    return bool(mounted_types(path))


def state(path: str) -> State:
    """The state of an absolute path, HANGS excepted, since then this never returns.

    By statvfs(2), as the kernel may still know the attributes of what a dead daemon served."""
    types = mounted_types(path)
    if types and types[-1] != TYPE:
        return State.OTHER
    try:
        os.statvfs(path)
    except OSError as error:
        if error.errno == errno.ENOTCONN:
            return State.DEAD
        raise
    return State.SERVED if types else State.BARE


def status(path: str) -> bytes:
    """What the mount on an absolute path says of itself, as JSON. Raises OSError; EACCES for who may not ask."""
    from katafs.mount.control import DIRECTORY_NUMBER, NAME  # not needed by whoever only looks at mount points

    directory = os.open(os.path.join(os.fsencode(path), NAME), _DIRECTORY)
    try:
        if os.fstat(directory).st_ino != DIRECTORY_NUMBER:
            raise OSError(errno.EEXIST, "a .katafs that somebody keeps there hides the daemon's own")
        with open(os.open("status.json", os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory), "rb") as file:
            return file.read()
    finally:
        os.close(directory)


def bare(path: str) -> Bare:
    """The directory at an absolute path as it is without what is mounted on it, which isn't stepped into.

    Raises OSError: EPERM where something is mounted there and this isn't root."""
    if not is_mounted(path):
        return _bare(path, None)
    parent, name = os.path.split(path)
    # A copy of the parent's mount has no other mounts in it (open_tree(2)).
    copy = syscalls.clone_mount(os.fsencode(parent))
    try:
        return _bare(name, copy)
    finally:
        os.close(copy)


def _bare(name: str, directory: int | None) -> Bare:
    descriptor = os.open(name, _DIRECTORY, dir_fd=directory)
    try:
        return Bare(stat.S_IMODE(os.fstat(descriptor).st_mode), _is_immutable(descriptor), len(os.listdir(descriptor)))
    finally:
        os.close(descriptor)


def _is_immutable(descriptor: int) -> bool:
    flags = bytearray(8)
    try:
        fcntl.ioctl(descriptor, _FS_IOC_GETFLAGS, flags)
    except OSError:
        return False  # a file system without such flags
    return bool(int.from_bytes(flags[:4], sys.byteorder) & _FS_IMMUTABLE_FL)
