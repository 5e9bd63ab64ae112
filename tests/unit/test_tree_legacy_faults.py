"""The tree without a mount, beside an old disk: conversions that fail, and stores that do."""

import errno
import fcntl
import os
from collections.abc import Callable

import pytest

from katafs.errors import StoreUnreachable
from katafs.volumes import legacy_locks
from katafs.volumes.memory import MemoryStore
from tests.harness.old_disk import FILES
from tests.unit.kernel import ME, Kernel
from tests.unit.legacy import HIKER, IN, KATA, Beside, descriptors, opened, read, walked

GONE = StoreUnreachable("the engine is gone")

CHANGES: dict[str, Callable[[Kernel], object]] = {
    "write": lambda kernel: kernel.tree.files.open(kernel.number(HIKER), os.O_WRONLY, ME),
    "create": lambda kernel: kernel.write(IN + b"new", b""),
    "unlink": lambda kernel: kernel.unlink(HIKER),
    "mkdir": lambda kernel: kernel.mkdir(IN + b"bear"),
    "rename": lambda kernel: kernel.rename(HIKER, IN + b"moved"),
}


@pytest.mark.parametrize("fault", [GONE, OSError(errno.ENOSPC, "full")], ids=["unreachable", "full"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_conversion_that_fails_leaves_no_trace(
    tree_beside: Beside, store: MemoryStore, change: Callable[[Kernel], object], fault: StoreUnreachable | OSError
) -> None:
    before = walked(tree_beside.kernel)
    held, left, volumes = descriptors(tree_beside.kernel), tree_beside.old.left(), os.listdir(store.path)
    store.fail(fault)

    with pytest.raises(type(fault)) as told:
        tree_beside.kernel.change(lambda: change(tree_beside.kernel))

    assert told.value is fault
    assert (descriptors(tree_beside.kernel), tree_beside.old.left(), os.listdir(store.path)) == (held, left, volumes)
    assert tree_beside.kernel.read(IN + b"manifest.json") == FILES["manifest.json"].encode()
    store.heal()
    assert walked(tree_beside.kernel) == before
    tree_beside.kernel.change(lambda: change(tree_beside.kernel))
    assert not tree_beside.old.where(KATA).exists()


def test_a_store_that_is_gone_after_a_conversion_is_a_fault_until_it_is_back(
    tree_beside: Beside, store: MemoryStore
) -> None:
    before = walked(tree_beside.kernel)
    handle = opened(tree_beside.kernel, HIKER)
    tree_beside.convert_elsewhere(KATA)
    store.fail(GONE)
    for ask in (
        lambda: tree_beside.kernel.tree.inodes.getattr(before[HIKER]),
        lambda: read(tree_beside.kernel, handle),
        lambda: tree_beside.kernel.lookup(HIKER),
    ):
        with pytest.raises(StoreUnreachable):
            ask()
    store.heal()

    assert read(tree_beside.kernel, handle) == FILES["lion/sandbox/hiker.c"].encode()
    assert walked(tree_beside.kernel) == before
    tree_beside.kernel.tree.files.release(handle)


def test_a_converted_kata_goes_on_where_it_was_also_if_it_is_listed_while_the_store_is_gone(
    tree_beside: Beside, store: MemoryStore
) -> None:
    """The listing shows it closed. It is the same one when the store is back, under the same numbers."""
    before = walked(tree_beside.kernel)
    handle = tree_beside.kernel.tree.directories.open(before[IN[:-1]])
    tree_beside.convert_elsewhere(KATA)
    store.fail(GONE)
    assert tree_beside.kernel.entries(b"12")[IN[3:-1]].number == before[IN[:-1]]
    store.heal()

    assert {b"lion", b"manifest.json"} < {entry.name for entry in tree_beside.kernel.listed(handle)}
    assert walked(tree_beside.kernel) == before


def test_what_was_done_is_not_told_to_have_failed_where_a_lock_can_not_be_given_back(
    tree_beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would close the file then, or take the lookups back. The next who has read gives the lock back."""
    kernel, lock = tree_beside.kernel, legacy_locks._lock  # noqa: SLF001  what the disk is asked by

    def failing(descriptor: int, kind: int, start: int, *, wait: bool) -> None:
        if kind == fcntl.F_UNLCK:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        lock(descriptor, kind, start, wait=wait)

    with monkeypatch.context() as broken:
        broken.setattr(legacy_locks, "_lock", failing)
        handle = opened(kernel, HIKER)
        assert read(kernel, handle) == FILES["lion/sandbox/hiker.c"].encode()
        kernel.tree.files.release(handle)
        kernel.forget_all()
    assert kernel.tree.figures().nodes == 1
    kernel.read(HIKER)
    tree_beside.convert_elsewhere(KATA)
