"""Operations on one name below a directory's descriptor."""

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence

from katafs.rooted import descriptors, syscalls
from katafs.rooted.answer import answer

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2

_PATH = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_ENTRIES = frozenset((b"", b".", b".."))
_FILE_SYSTEM_ENCODING = (sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
"""What os.fsencode uses, whose own steps take longer."""


def check(name: bytes) -> bytes:
    """`name` if it is one component of a path. Raises OSError(EINVAL) for anything that could lead elsewhere."""
    if name in _NO_ENTRIES or b"/" in name or b"\0" in name:
        raise answer(errno.EINVAL, name)
    return name


def check_all(wanted: Sequence[bytes]) -> None:
    """The same of many at a time."""
    joined = b"".join(wanted)
    if b"/" in joined or b"\0" in joined or not _NO_ENTRIES.isdisjoint(wanted):
        for name in wanted:
            check(name)


def look(directory: int, name: bytes) -> tuple[int, os.stat_result]:
    """An O_PATH descriptor of what the name stands for now, the caller's to close, and its status.

    Raises OSError(EXDEV) where something is mounted on the name: what is mounted there isn't the volume's."""
    looked = look_if_there(directory, name)
    if looked is None:
        raise answer(errno.ENOENT, name)
    return looked


def look_if_there(directory: int, name: bytes) -> tuple[int, os.stat_result] | None:
    """The same of a name that may well not be there."""
    descriptor = syscalls.open_inside_if_there(directory, check(name), os.O_PATH)
    return None if descriptor is None else (descriptor, status_or_close(descriptor))


def status_or_close(descriptor: int) -> os.stat_result:
    """fstat(2) of a descriptor that is closed where that fails, as on a far disk that is gone, or without memory."""
    try:
        return os.fstat(descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def look_for(directory: int, name: bytes, identity: tuple[int, int] | None) -> tuple[int, os.stat_result]:
    """Look for an inode that is known, by st_dev and st_ino. Raises OSError(ESTALE) where the name is another's.

    The same inode is the same file on whichever mount: so that is looked for with open(2) alone, in half the time."""
    descriptor = os.open(check(name), _PATH, dir_fd=directory)
    status = status_or_close(descriptor)
    if (status.st_dev, status.st_ino) != identity:
        os.close(descriptor)
        raise answer(errno.ESTALE, name)
    return descriptor, status


def open_directory_again(directory: int) -> int:
    """A descriptor that can be read and synced, the caller's to close, of the directory behind an O_PATH one."""
    return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)


def listing(directory: int) -> list[bytes]:
    """The names in a directory, without `.` and `..`, in the order the file system gives them."""
    with _to_be_listed(directory) as readable:
        return [os.fsencode(name) for name in os.listdir(readable)]


@contextlib.contextmanager
def _to_be_listed(directory: int) -> Iterator[int]:
    """`open_directory_again` for a block that lists it, where `os` calls what can't be read by the descriptor's
    number: a filename is bytes, or none."""
    readable = open_directory_again(directory)
    try:
        yield readable
    except OSError as problem:
        if problem.filename != readable:
            raise
        raise OSError(problem.errno, problem.strerror) from None
    finally:
        os.close(readable)


def numbered(directory: int) -> dict[bytes, int]:
    """The names as `listing` has them, each with the inode number that the directory itself says it has; 0 for another
    directory: something may be mounted there that hangs, and to ask that of anything may take for ever."""
    with _to_be_listed(directory) as readable, os.scandir(readable) as entries:
        return {
            entry.name.encode(*_FILE_SYSTEM_ENCODING): 0 if entry.is_dir(follow_symlinks=False) else entry.inode()
            for entry in entries
        }


def glance(directory: int, wanted: Sequence[bytes], inodes: Iterable[int]) -> list[os.stat_result | None]:
    """The status of each name that `numbered` gave with an inode's number, without opening it; None where `look` has to
    be asked.

    At a mount point stat(2) tells of what is mounted there, while the directory goes on to give the number of what is
    below. Where the two agree on the directory's own device, nothing foreign is mounted. They may differ for other
    reasons: the name is another file's by now, or the file system is an overlay. Directories aren't glanced at."""
    check_all(wanted)
    device = os.fstat(directory).st_dev
    found: list[os.stat_result | None] = []
    for name, inode in zip(wanted, inodes, strict=True):
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False) if inode else None
        except OSError:
            status = None  # it is gone, or `look` says what is wrong with it
        if status and (status.st_ino != inode or status.st_dev != device or stat.S_ISDIR(status.st_mode)):
            status = None
        found.append(status)
    return found


def is_empty(directory: int) -> bool:
    """Whether a directory has no entries."""
    with _to_be_listed(directory) as readable, os.scandir(readable) as entries:
        return next(entries, None) is None


def create_file(directory: int, name: bytes, flags: int, mode: int) -> int:
    """Make a regular file and open it. Raises OSError(EEXIST) where the name is taken, by whatever it may be."""
    return syscalls.open_inside(directory, check(name), flags | os.O_CREAT | os.O_EXCL, mode & 0o7777)


def make_directory(directory: int, name: bytes, mode: int) -> None:
    """mkdirat(2)."""
    os.mkdir(check(name), mode, dir_fd=directory)


def make_node(directory: int, name: bytes, mode: int, device: int) -> None:
    """mknodat(2)."""
    os.mknod(check(name), mode, device, dir_fd=directory)


def make_symlink(directory: int, name: bytes, target: bytes) -> None:
    """symlinkat(2)."""
    os.symlink(target, check(name), dir_fd=directory)


def make_link(descriptor: int, directory: int, name: bytes) -> None:
    """Give the inode behind a descriptor another name (linkat(2) through /proc, which needs no CAP_DAC_READ_SEARCH)."""
    os.link(descriptors.path(descriptor).encode(), check(name), dst_dir_fd=directory, follow_symlinks=True)


def remove(directory: int, name: bytes) -> None:
    """unlinkat(2) of anything but a directory."""
    os.unlink(check(name), dir_fd=directory)


def remove_directory(directory: int, name: bytes) -> None:
    """unlinkat(2) of an empty directory."""
    os.rmdir(check(name), dir_fd=directory)


def rename(old_directory: int, old_name: bytes, new_directory: int, new_name: bytes, flags: int) -> None:
    """renameat2(2) with RENAME_NOREPLACE or RENAME_EXCHANGE or none of them."""
    syscalls.rename(old_directory, check(old_name), new_directory, check(new_name), flags)
