"""katafs.fuse with a file system of its own, of one file: what the real kernel makes of notifications."""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from katafs.fuse import mounting
from katafs.fuse.connection import Connection
from katafs.fuse.operations import Absent, Opened, Who
from tests.harness import needs
from tests.harness.mount_table import tear_off
from tests.harness.waiting import until

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
        self.forgotten: set[int] = set()

    def lookup(self, _: int, name: bytes) -> Told | Absent:
        return self.getattr(2) if name == self.name else Absent(0)

    def getattr(self, number: int) -> Told:
        mode, size = (0o40755, 0) if number == 1 else (0o100644, len(self.content))
        return Told(number, os.stat_result((mode, 0, 0, 0, 0, 0, size, 0, 0, 0), _NOTHING_ELSE))

    def getattr_for_pages(self, number: int) -> Told:
        return self.getattr(number)

    def open(self, _: int, __: int, ___: Who) -> Opened:
        return Opened(1, keep_cache=True)

    def read(self, _: int, offset: int, size: int) -> bytes:
        return self.content[offset : offset + size]

    def release(self, _: int) -> None:
        return

    def forget(self, forgotten: Sequence[tuple[int, int]]) -> None:
        self.forgotten |= {number for number, _ in forgotten}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever else there is
        raise OSError(errno.EOPNOTSUPP, name)


@pytest.fixture
def mounted(disk: Path) -> Iterator[tuple[OneFile, Connection, Path]]:
    needs.root()
    needs.fuse()
    path = disk / "mnt"
    path.mkdir()
    files = OneFile()
    device = mounting.mount(str(path), mounting.Options("one-file", "katafs-test"))
    connection = Connection(device, files, lambda _, error: getattr(error, "errno", None) or errno.EIO)
    connection.start()
    yield files, connection, path
    mounting.unmount(str(path))
    assert connection.close(30)
    tear_off(path)


def size_before_and_after(path: Path, files: OneFile, change: Callable[[], None]) -> tuple[int, int]:
    before = (path / "f").stat().st_size
    files.content = b"newer"
    change()
    return before, (path / "f").stat().st_size


def test_without_a_notification_the_kernel_goes_on_with_what_it_knows(
    mounted: tuple[OneFile, Connection, Path],
) -> None:
    files, _, path = mounted

    assert size_before_and_after(path, files, lambda: None) == (3, 3)


def test_an_invalidated_inode_is_asked_for_anew(mounted: tuple[OneFile, Connection, Path]) -> None:
    files, connection, path = mounted

    assert size_before_and_after(path, files, lambda: connection.device.invalidate_inode(2)) == (3, 5)
    assert (path / "f").read_bytes() == b"newer"


def test_an_expired_name_is_looked_up_anew(mounted: tuple[OneFile, Connection, Path]) -> None:
    files, connection, path = mounted
    assert (path / "f").exists()
    files.name = b"g"

    connection.device.expire_entry(1, b"f")

    assert not (path / "f").exists()
    assert (path / "g").exists()


def test_what_the_kernel_does_not_know_needs_no_invalidation(mounted: tuple[OneFile, Connection, Path]) -> None:
    _, connection, path = mounted

    connection.device.invalidate_inode(4711)
    connection.device.expire_entry(1, b"unknown")
    connection.device.invalidate_entry(4711, b"unknown")
    connection.device.invalidate_entry(2, b"below-a-file")

    assert os.listdir(path.parent) == ["mnt"]
    assert (path / "f").read_bytes() == b"old"


def test_the_kernel_lets_go_of_an_inode_that_nobody_uses(mounted: tuple[OneFile, Connection, Path]) -> None:
    needs.prune()
    files, connection, path = mounted
    assert (path / "f").exists()
    assert connection.agreement is not None
    assert connection.agreement.prunes()

    connection.device.prune([4711, 2])

    until(lambda: files.forgotten == {2}, "the inode to be forgotten")


def test_the_kernel_keeps_an_inode_that_is_in_use(mounted: tuple[OneFile, Connection, Path]) -> None:
    needs.prune()
    files, connection, path = mounted
    opened = os.open(path / "f", os.O_PATH)
    connection.device.prune([1, 2])
    connection.device.prune([])
    status = os.fstat(opened)
    kept = not files.forgotten
    os.close(opened)

    connection.device.prune([2])

    until(lambda: files.forgotten == {2}, "the inode to be forgotten when it is closed")
    assert kept
    assert status.st_size == 3
