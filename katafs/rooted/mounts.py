"""The mounts that this process sees, and how two directories of one file system are reached through one of them.

rename(2) answers EXDEV between two mounts even where both show the same file system: Docker's engine, for one, mounts
its data-root onto itself. A mount that holds both directories can be cloned, for this process's descriptors alone.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import NamedTuple

from katafs.rooted import descriptors, syscalls
from katafs.rooted.answer import answer

_TABLE = "/proc/self/mountinfo"
_TABLE_BYTES = 4096
"""The kernel gives no more of it at a time."""
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Mount(NamedTuple):
    """A line of proc_pid_mountinfo(5)."""

    number: int
    device: bytes
    """Major and minor number of the file system."""
    root: bytes
    """The directory in the file system that is mounted."""
    point: bytes
    type: bytes
    options: list[bytes]
    """The file system's own."""


def mounts() -> list[Mount]:
    """Every mount, the one that covers another after it."""
    table = opened_table()
    try:
        return mounts_in(table)
    finally:
        os.close(table)


def opened_table() -> int:
    """A descriptor of the table of mounts, for who must be able to read it when no more files can be opened."""
    return os.open(_TABLE, os.O_RDONLY | os.O_CLOEXEC)


def mounts_in(table: int) -> list[Mount]:
    """The same as `mounts`, from an opened table: as it is now."""
    content, size = b"", -1
    while size != len(content):
        size = len(content)
        content += os.pread(table, _TABLE_BYTES, size)
    return [_parsed(line) for line in content.split(b"\n") if line]  # other ends of lines are in names as they are


def _parsed(line: bytes) -> Mount:
    before, _, after = line.partition(b" - ")
    number, _, device, root, point = before.split(b" ")[:5]  # other white space is in names as it is
    type_, *_, options = after.split(b" ")
    return Mount(int(number), device, _unescaped(root), _unescaped(point), type_, options.split(b","))


def _unescaped(field: bytes) -> bytes:
    for code in (b"\\040", b"\\011", b"\\012", b"\\134"):
        field = field.replace(code, bytes([int(code[1:], 8)]))
    return field


def mount_of(descriptor: int) -> Mount:
    """The mount through which a descriptor was opened. Raises OSError(EXDEV) for one that this process doesn't see."""
    number = descriptors.mount_number(descriptor)
    for mount in mounts():
        if mount.number == number:
            return mount
    raise answer(errno.EXDEV)


def is_read_only(descriptor: int) -> bool:
    """Whether nothing can be changed through the mount by which a descriptor was opened."""
    return bool(os.fstatvfs(descriptor).f_flag & os.ST_RDONLY)


@contextlib.contextmanager
def through_one_mount(first: int, second: int) -> Iterator[tuple[int, int]]:
    """Descriptors of these two directories between which rename(2) works.

    Raises OSError(EXDEV) where they are on two file systems, or where no mount that is seen holds both; OSError(EROFS)
    where one of their own is read-only; OSError(EPERM) without CAP_SYS_ADMIN where a mount would have to be cloned
    (open_tree(2), Linux 5.2)."""
    # The same number may also be that of one that isn't seen, as in a chroot that is no mount point.
    if descriptors.mount_number(first) == descriptors.mount_number(second):
        yield first, second
        return
    if is_read_only(first) or is_read_only(second):  # what is cloned may be another one, which isn't
        raise answer(errno.EROFS)
    one, other = mount_of(first), mount_of(second)
    inside = _inside(one, first), _inside(other, second)
    for mount in mounts() if one.device == other.device else ():
        if mount.device == one.device and all(is_below(path, mount.root) for path in inside):
            pair = _cloned(mount, inside, (first, second))
            if pair is not None:
                try:
                    yield pair
                finally:
                    _close(*pair)
                return
    raise answer(errno.EXDEV)


def in_file_system(descriptor: int) -> tuple[bytes, bytes]:
    """The file system of a directory, and where in that it is: the same through whatever mount. Raises as
    `mount_of`."""
    mount = mount_of(descriptor)
    return mount.device, _inside(mount, descriptor)


def is_below(path: bytes, root: bytes) -> bool:
    """Whether a place in a file system is another one, or inside it."""
    return path == root or path.startswith(root.rstrip(b"/") + b"/")


def _inside(mount: Mount, descriptor: int) -> bytes:
    """Where a directory is in its file system."""
    path = os.readlink(descriptors.path(descriptor).encode())
    return os.path.normpath(os.path.join(mount.root, os.path.relpath(path, mount.point)))


def _cloned(mount: Mount, inside: tuple[bytes, bytes], originals: tuple[int, int]) -> tuple[int, int] | None:
    """The two directories below a clone of the mount; None where another mount covers it, and so was cloned instead,
    or where it is read-only."""
    opened: list[int] = []
    try:
        tree = syscalls.clone_mount(mount.point)
        try:
            for path, original in zip(inside, originals, strict=True):
                opened.append(os.open(os.path.relpath(path, mount.root), _DIRECTORY, dir_fd=tree))
                if not os.path.samestat(os.fstat(opened[-1]), os.fstat(original)):
                    raise answer(errno.ENOENT, path)
            if is_read_only(opened[0]):
                raise answer(errno.EINVAL)  # another one may let things be renamed
        finally:
            os.close(tree)
    except OSError as problem:
        _close(*opened)
        if problem.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL):
            return None
        raise
    return opened[0], opened[1]


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
