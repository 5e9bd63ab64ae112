"""What may be read of an avatar, which anybody may have written: directories and regular files, one name at a time.

Owns how they are reached: from a descriptor, over no link and no mount, without waiting for a FIFO. Files are read by
position and never mapped: a file that its owner truncates under a mapping would kill the daemon with SIGBUS.
Must not know what is in them.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from katafs.errors import CorruptKata
from katafs.rooted import inodes, names
from katafs.rooted.answer import answer

_CHUNK_BYTES = 1 << 20


def look(directory: int, name: bytes) -> tuple[int, os.stat_result]:
    """As `names.look`, an O_PATH descriptor and its status, but raises CorruptKata where something is mounted."""
    try:
        return names.look(directory, name)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise CorruptKata(f"something is mounted on {os.fsdecode(name)}") from error
        raise


@contextlib.contextmanager
def directory(parent: int, *parts: bytes) -> Iterator[int]:
    """An O_PATH descriptor of the directory that `parts` lead to from `parent`, closed again afterwards.

    Raises FileNotFoundError where a part is missing, CorruptKata where one is a link, a mount or no directory."""
    with contextlib.ExitStack() as held:
        found = parent
        for name in parts:
            found, status = look(found, name)
            held.callback(os.close, found)
            if not stat.S_ISDIR(status.st_mode):
                raise CorruptKata(f"{os.fsdecode(name)} is no directory")
        yield found


def open_file(parent: int, name: bytes) -> int:
    """A regular file, open for reading; the caller's to close.

    Raises FileNotFoundError, CorruptKata where the name is a link, a mount, a FIFO or anything else, and
    BlockingIOError where a program holds a lease on the file: it is not waited for."""
    descriptor, status = look(parent, name)
    try:
        if not stat.S_ISREG(status.st_mode):
            raise CorruptKata(f"{os.fsdecode(name)} is no regular file")
        return inodes.open_again(descriptor, os.O_RDONLY | os.O_NONBLOCK)
    finally:
        os.close(descriptor)


def read_file(parent: int, name: bytes, limit_bytes: int) -> bytes:
    """All of a small regular file. Raises as `open_file` does, and OSError(EFBIG) above the limit."""
    descriptor = open_file(parent, name)
    try:
        content = bytearray()
        while chunk := os.pread(descriptor, _CHUNK_BYTES, len(content)):
            content += chunk
            if len(content) > limit_bytes:
                raise answer(errno.EFBIG, name)
        return bytes(content)
    finally:
        os.close(descriptor)
