"""The bytes of regular files that O_PATH descriptors hold: copied and compared, holes skipped.

Never waits: a file under somebody's lease is EAGAIN, and one that grows is read as far as it went when it was opened.
A file of holes may claim to be exabytes long, so nobody reads what the file system knows to be a hole.
"""

import contextlib
import errno
import os
from collections.abc import Iterator

from katafs.rooted import inodes, syscalls

_BLOCK_BYTES = 1 << 20
_SHOWN_BYTES = 8
_READING = os.O_RDONLY | os.O_NOATIME
"""The file's atime stays, which only its owner and root may ask for."""
_NO_OFFLOAD = (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM, errno.ETXTBSY)
"""How copy_file_range(2) says that it can't do this here; reading and writing can."""


def copy(source: int, target: int) -> None:
    """Write what a file holds to an empty one; holes stay holes.

    Raises OSError(EAGAIN) while somebody has a lease on one of them, OSError(ENXIO) for what isn't a file. That the
    disk can't take it later is told by syncfs(2), or here where that doesn't."""
    with _opened(source, _READING) as readable, _opened(target, os.O_WRONLY) as writable:
        size_bytes = os.fstat(readable).st_size
        for start, end in data_ranges(readable, size_bytes):
            _copy_range(readable, writable, start, end)
        # Also the hole at the end, if there is one.
        os.ftruncate(writable, size_bytes)
        if not syscalls.syncfs_tells_of_content():
            os.fsync(writable)


def first_difference(left: int, right: int) -> tuple[int, bytes, bytes] | None:
    """The offset of the first byte that two files differ in, with some bytes of both from there; None for equal files.

    Raises OSError(EAGAIN) while somebody has a lease on one, OSError(ENXIO) for what isn't a file."""
    with _opened(left, _READING) as left_file, _opened(right, _READING) as right_file:
        files = (left_file, right_file)
        size_bytes = max(os.fstat(file).st_size for file in files)
        offset = 0
        while (offset := min(_seek(file, offset, os.SEEK_DATA, size_bytes) for file in files)) < size_bytes:
            end = max(_seek(file, offset, os.SEEK_HOLE, size_bytes) for file in files)
            # At least something, lest the two be called equal because a hole was made here just now.
            wanted = min(max(end - offset, 1), _BLOCK_BYTES)
            ours, theirs = (os.pread(file, wanted, offset) for file in files)
            if ours != theirs:
                same = _same_bytes(ours, theirs)
                return offset + same, ours[same:][:_SHOWN_BYTES], theirs[same:][:_SHOWN_BYTES]
            if not ours:
                return None  # both have shrunk meanwhile
            offset += len(ours)
    return None


def _same_bytes(ours: bytes, theirs: bytes) -> int:
    pairs = enumerate(zip(ours, theirs, strict=False))
    return next((at for at, (our, their) in pairs if our != their), min(len(ours), len(theirs)))


@contextlib.contextmanager
def _opened(descriptor: int, flags: int) -> Iterator[int]:
    opened = inodes.open_again(descriptor, flags)
    try:
        yield opened
    finally:
        os.close(opened)


def data_ranges(readable: int, size_bytes: int) -> Iterator[tuple[int, int]]:
    """The ranges of an open file, start and end, that aren't holes. They move the file's own offset."""
    start = 0
    while (start := _seek(readable, start, os.SEEK_DATA, size_bytes)) < size_bytes:
        end = _seek(readable, start, os.SEEK_HOLE, size_bytes)
        if end <= start:
            return  # it shrinks meanwhile
        yield start, end
        start = end


def _seek(readable: int, offset: int, whence: int, size_bytes: int) -> int:
    """Where data or a hole is next; the size where none is (ENXIO, lseek(2))."""
    try:
        return min(os.lseek(readable, offset, whence), size_bytes)
    except OSError as problem:
        if problem.errno != errno.ENXIO:
            raise
        return size_bytes


def _copy_range(readable: int, writable: int, start: int, end: int) -> None:
    """Inside the kernel where it can, which shares blocks on file systems that know how to."""
    while start < end:
        copied = _offload(readable, writable, start, end - start)
        if not copied:
            block = os.pread(readable, min(_BLOCK_BYTES, end - start), start)
            copied = os.pwrite(writable, block, start) if block else 0
        if not copied:
            return  # it has shrunk meanwhile
        start += copied


def _offload(readable: int, writable: int, start: int, count: int) -> int:
    """How much copy_file_range(2) has copied; 0 is its answer for some files that can well be read."""
    try:
        return os.copy_file_range(readable, writable, count, start, start)
    except OSError as problem:
        if problem.errno not in _NO_OFFLOAD:
            raise
        return 0
