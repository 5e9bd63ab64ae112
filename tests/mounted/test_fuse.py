"""katafs.fuse with a file system of its own, of one file: what the real kernel makes of notifications."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from katafs.fuse.connection import Connection
from tests.harness import needs
from tests.harness.one_file import OneFile, one_file
from tests.harness.waiting import until


@pytest.fixture
def mounted(disk: Path) -> Iterator[tuple[OneFile, Connection, Path]]:
    needs.root()
    needs.fuse()
    path = disk / "mnt"
    path.mkdir()
    with one_file(path) as (files, connection):
        yield files, connection, path


def content(path: Path) -> bytes:
    """Read without a file object: PyPy's own close lets no other thread run, such as the one that is to answer it."""
    opened = os.open(path, os.O_RDONLY)
    try:
        return os.read(opened, 100)
    finally:
        os.close(opened)


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
    assert content(path / "f") == b"newer"


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
    assert content(path / "f") == b"old"


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
