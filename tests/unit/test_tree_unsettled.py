"""What the kernel is told of a file before it reads: whether the pages that it has kept of it may still be shown."""

import os
import time

import pytest

from katafs.rooted import inodes
from katafs.rooted.inodes import CTIME_GRAIN_NS
from katafs.volumes.memory import MemoryStore
from tests.harness.waiting import until
from tests.unit.kernel import ME, Kernel


@pytest.fixture
def long_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes in a test does so within a tick: on a busy machine it takes longer than a real one."""
    monkeypatch.setattr(inodes, "CTIME_GRAIN_NS", 10**12)


def told_ns(tree: Kernel, number: int) -> int:
    """The mtime that the kernel goes by."""
    return tree.tree.inodes.getattr_for_pages(number).status.st_mtime_ns


@pytest.mark.usefixtures("long_tick")
def test_content_that_was_read_just_after_a_change_is_dropped_before_each_read(
    tree: Kernel, store: MemoryStore
) -> None:
    number = tree.write(b"f", b"content").number
    handle = tree.tree.files.open(number, os.O_RDONLY, ME)
    behind = store.path / "katafs_root" / "f"
    told = [tree.tree.inodes.getattr(number).status.st_mtime_ns]
    for _ in range(4):
        behind.write_bytes(b"changed")
        tree.tree.files.read(handle, 0, 100)
        doubted = tree.tree.inodes.getattr_for_pages(number)
        told.append(doubted.status.st_mtime_ns)

        assert doubted.timeout_s == 0
        assert told[-1] != told[-2]
        assert told[-1] // 1_000_000_000 == tree.tree.inodes.getattr(number).status.st_mtime // 1
        assert tree.tree.inodes.getattr(number).status.st_mtime_ns == behind.stat().st_mtime_ns


@pytest.mark.usefixtures("long_tick")
def test_it_is_dropped_once_for_each_time_that_it_was_read(tree: Kernel, store: MemoryStore) -> None:
    number = tree.write(b"f", b"content").number
    tree.tree.files.read(tree.tree.files.open(number, os.O_RDONLY, ME), 0, 100)
    true_ns = (store.path / "katafs_root" / "f").stat().st_mtime_ns

    assert told_ns(tree, number) != true_ns
    assert told_ns(tree, number) == true_ns


def test_content_that_was_read_later_is_kept(tree: Kernel, store: MemoryStore) -> None:
    number = tree.write(b"f", b"content").number
    behind = (store.path / "katafs_root" / "f").stat()
    until(lambda: time.time_ns() - behind.st_ctime_ns > CTIME_GRAIN_NS, "a change to have another time")
    tree.tree.files.read(tree.tree.files.open(number, os.O_RDONLY, ME), 0, 100)

    assert told_ns(tree, number) == behind.st_mtime_ns
