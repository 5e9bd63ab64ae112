"""The parts of a mount that serve other disks: when they come, and when they go."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import Mock

import pytest

from katafs.fuse.operations import Later
from katafs.kata_id import VolumeName
from katafs.mount.parts import Parts
from katafs.tree.attributes import Attributes
from katafs.volumes.disks import Disk
from katafs.volumes.memory import MemoryStore
from tests.harness.waiting import until
from tests.unit.kernel import ROOT, Kernel

KATA = b"123456789A"
DISK, MOUNTED_ANEW = Disk(b"9:9"), Disk(b"9:10")
THREADS_OF_ONE_DISK = 8


@pytest.fixture
def parts(tree: Kernel) -> Iterator[Parts]:
    """The parts of a tree that isn't mounted."""
    parts = Parts(tree.tree, Mock())
    yield parts
    parts.stop_asking()
    assert parts.close(60)


@contextmanager
def stuck(entering: Later[Attributes]) -> Iterator[None]:
    """A disk of which each thread hangs in another call."""
    gate = threading.Event()
    hanging = [entering.pool.submit(gate.wait) for _ in range(THREADS_OF_ONE_DISK)]
    try:
        yield
    finally:
        gate.set()
        assert all(call.result(60) for call in hanging)


def shrinkers() -> int:
    """How many parts there are: each has one."""
    return sum(thread.name == "katafs-shrinker" for thread in threading.enumerate())


def test_a_disk_that_is_mounted_anew_leaves_nothing_of_the_one_before(
    tree: Kernel, store: MemoryStore, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a program that looked something up there has been interrupted, while the disk hung."""
    (store.path / KATA.decode()).mkdir()
    disk = [DISK]
    monkeypatch.setattr(store, "disk_of", lambda name: disk[0] if name == VolumeName(KATA.decode()) else None)
    root = tree.tree.node(ROOT)
    told = parts.enter(DISK, root, KATA).call()
    entering = parts.enter(DISK, root, KATA)
    with stuck(entering):
        given_up = entering.pool.submit(entering.call)
        given_up.cancel()
        until(given_up.cancelled, "the disk to be taken for stuck")
    parts.forget([(told.number, 1)])
    until(lambda: tree.tree.on(DISK).is_unused(), "what was looked up to be forgotten")
    before = shrinkers()
    disk[0] = MOUNTED_ANEW
    parts.enter(MOUNTED_ANEW, root, KATA).call()

    assert (before, shrinkers()) == (1, 1)


def test_what_is_forgotten_while_no_thread_can_be_had_is_forgotten(
    tree: Kernel, store: MemoryStore, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    (store.path / KATA.decode()).mkdir()
    monkeypatch.setattr(store, "disk_of", lambda name: DISK if name == VolumeName(KATA.decode()) else None)
    told = parts.enter(DISK, tree.tree.node(ROOT), KATA).call()

    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as exhausted:
        exhausted.setattr(threading.Thread, "start", none)
        parts.forget([(told.number, 1)])

    assert tree.tree.on(DISK).is_unused()
