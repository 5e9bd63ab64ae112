"""A volume's files are synced one after the other where the disk is quick, and together where it isn't."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from katafs.fuse.operations import Later
from katafs.mount import syncs
from katafs.mount.operations import Operations
from tests.harness.waiting import until
from tests.unit.kernel import ME, Kernel

FILES = 3


class Disk:
    """Counts the syncs that it is at, each of which lasts as long as a test wants."""

    def __init__(self) -> None:
        self.at_work = 0
        self.free = threading.Event()

    def fsync(self, handle: int, *, data_only: bool) -> None:
        """In the place of the tree's."""
        del handle, data_only
        self.at_work += 1
        self.free.wait(60)
        self.at_work -= 1


@pytest.fixture
def disk(tree: Kernel, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(tree.tree.files, "fsync", disk.fsync)
    return disk


@pytest.fixture
def operations(tree: Kernel, disk: Disk) -> Iterator[Operations]:
    operations = Operations(tree.tree)
    yield operations
    disk.free.set()
    assert operations.close(60)


@pytest.fixture
def handles(tree: Kernel) -> list[int]:
    """Open files of one volume."""
    numbers = [tree.write(b"f%d" % each, b"").number for each in range(FILES)]
    return [tree.tree.files.open(number, os.O_WRONLY, ME) for number in numbers]


def sync(operations: Operations, handle: int) -> "Future[None]":
    """Begin to."""
    later = operations.fsync(handle, data_only=False)
    assert isinstance(later, Later)
    return later.pool.submit(later.call)


def sync_long(operations: Operations, disk: Disk, handle: int) -> None:
    """Begin to, and take longer than a quick disk does."""
    sync(operations, handle)
    until(lambda: disk.at_work == 1, "the first sync")
    threading.Event().wait(0.01)


@pytest.fixture
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long this machine takes, nothing is late."""
    monkeypatch.setattr(syncs, "_QUICK_S", 60.0)


@pytest.mark.usefixtures("in_no_time")
def test_the_second_waits_for_the_first(operations: Operations, disk: Disk, handles: list[int]) -> None:
    for handle in handles:
        sync(operations, handle)
    until(lambda: disk.at_work == 1, "the first sync")
    threading.Event().wait(0.1)  # in which others would begin

    assert disk.at_work == 1


@pytest.mark.usefixtures("in_no_time")
def test_so_it_does_long_after_a_quick_one(
    operations: Operations, disk: Disk, handles: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.free.set()
    sync(operations, handles[0]).result(60)
    disk.free.clear()
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + 3600, sleep=time.sleep)
    monkeypatch.setattr(syncs, "time", later)

    test_the_second_waits_for_the_first(operations, disk, handles)


@pytest.mark.usefixtures("in_no_time")
def test_a_signal_leaves_one_that_waits_its_turn(operations: Operations, disk: Disk, handles: list[int]) -> None:
    begun = [sync(operations, handle) for handle in handles]
    assert not begun[-1].cancel()
    disk.free.set()

    assert [each.result(60) for each in begun] == [None] * FILES


def test_those_that_come_while_one_takes_its_time_do_not_wait_for_it(
    operations: Operations, disk: Disk, handles: list[int]
) -> None:
    sync_long(operations, disk, handles[0])
    for handle in handles[1:]:
        sync(operations, handle)

    until(lambda: disk.at_work == FILES, "all of them at once")


def test_after_one_that_took_its_time_they_are_made_together(
    operations: Operations, disk: Disk, handles: list[int]
) -> None:
    sync_long(operations, disk, handles[0])
    disk.free.set()
    until(lambda: operations._syncs._last_s > 0, "its end")  # noqa: SLF001  nothing else tells
    disk.free.clear()
    for handle in handles:
        sync(operations, handle)

    until(lambda: disk.at_work == FILES, "all of them at once")
