"""A file system of one file that stands on katafs.fuse alone: what the real kernel makes of what it is told.

What a kernel can do is asked here too, by what it does; nothing of the tree is in between.
"""

import contextlib
import errno
import functools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from katafs.fuse import mounting
from katafs.fuse.connection import Connection
from katafs.fuse.operations import Absent, Opened, Who
from tests.harness.mount_table import tear_off
from tests.harness.places import fresh_directory, remove_directory
from tests.posix.syscalls import FALLOC_ZERO_RANGE, fallocate

_NOTHING_ELSE = dict.fromkeys(("st_rdev", "st_blocks", "st_blksize", "st_atime_ns", "st_mtime_ns"), 0)


@dataclass
class Told:
    """Attributes that the kernel may keep for an hour."""

    number: int
    status: os.stat_result
    generation: int = 0
    links: int = 1
    ctime_ns: int = 0
    timeout_s: float = 3600.0
    unasked: bool = False


class OneFile:
    """A directory with one file, whose name and content change behind the kernel's back."""

    def __init__(self) -> None:
        self.name = b"f"
        self.content = b"old"
        self.generation = 0
        self.forgotten: set[int] = set()
        self.allocated: list[int] = []
        """The modes of fallocate(2)."""

    def lookup(self, _: int, name: bytes) -> Told | Absent:
        return self.getattr(2) if name == self.name else Absent(0)

    def getattr(self, number: int) -> Told:
        mode, size = (0o40755, 0) if number == 1 else (0o100644, len(self.content))
        status = os.stat_result((mode, 0, 0, 0, 0, 0, size, 0, 0, 0), _NOTHING_ELSE)
        return Told(number, status, self.generation)

    def getattr_for_pages(self, number: int) -> Told:
        return self.getattr(number)

    def open(self, _: int, __: int, ___: Who) -> Opened:
        return Opened(1, keep_cache=True)

    def read(self, _: int, offset: int, size: int) -> bytes:
        return self.content[offset : offset + size]

    def allocate(self, _: int, __: int, ___: int, mode: int) -> None:
        self.allocated.append(mode)

    def release(self, _: int) -> None:
        return

    def forget(self, forgotten: Sequence[tuple[int, int]]) -> None:
        self.forgotten |= {number for number, _ in forgotten}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever else there is
        raise OSError(errno.EOPNOTSUPP, name)


@contextlib.contextmanager
def one_file(path: Path) -> Iterator[tuple[OneFile, Connection]]:
    """Such a file system, mounted at an empty directory."""
    files = OneFile()
    device = mounting.mount(str(path), mounting.Options("one-file", "katafs-test"))
    connection = Connection(device, files, lambda _, error, __: getattr(error, "errno", None) or errno.EIO)
    connection.start()
    try:
        yield files, connection
    finally:
        mounting.unmount(str(path))
        assert connection.close(30)
        tear_off(path)


@contextlib.contextmanager
def _asked() -> Iterator[tuple[OneFile, Connection, Path]]:
    directory = fresh_directory()
    with one_file(directory) as (files, connection):
        yield files, connection, directory / "f"
    remove_directory(directory)


@functools.cache
def kernel_passes_on_zero_ranges() -> bool:
    """Whether the request of an fallocate(2) with FALLOC_FL_ZERO_RANGE comes."""
    with _asked() as (files, _, path):
        opened = os.open(path, os.O_RDWR)
        with contextlib.suppress(OSError):
            fallocate(opened, FALLOC_ZERO_RANGE, 0, 1)
        os.close(opened)
        return files.allocated == [FALLOC_ZERO_RANGE]


@functools.cache
def kernel_tells_generations_apart() -> bool:
    """Whether an inode of the same number and another generation is another one to it."""
    with _asked() as (files, connection, path):
        held = os.open(path, os.O_PATH)
        files.generation += 1
        connection.device.invalidate_entry(1, b"f")
        connection.device.invalidate_inode(2)
        path.stat()
        try:
            os.fstat(held)
        except OSError as problem:
            if problem.errno != errno.EIO:
                raise
            return True
        else:
            return False
        finally:
            os.close(held)


@functools.cache
def kernel_expires_names() -> bool:
    """Whether a name can be looked up anew without who uses it losing it."""
    with _asked() as (_, connection, path):
        held = os.open(path, os.O_PATH)
        connection.device.expire_entry(1, b"f")
        shown = os.readlink(f"/proc/self/fd/{held}")
        os.close(held)
        return shown == str(path)
