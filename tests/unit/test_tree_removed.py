"""The tree without a mount: what has lost its last name while somebody uses it."""

import errno
import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.harness.refusals import refused
from tests.unit.conftest import Trees
from tests.unit.kernel import ME, ROOT, Kernel
from tests.unit.test_tree_forgetting import descriptors

FEW = 64
"""The last eight of them are the daemon's own."""


def opened(tree: Kernel, number: int, flags: int = os.O_RDONLY) -> int:
    return tree.tree.files.open(number, flags, ME)


def unlink(tree: Kernel) -> None:
    tree.unlink(b"f")


def replace(tree: Kernel) -> None:
    tree.write(b"other", b"")
    tree.rename(b"other", b"f")


@contextmanager
def few_descriptors() -> Iterator[None]:
    """So many may be open, what the test itself has open among them."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
@pytest.mark.parametrize("remove", [unlink, replace])
def test_a_file_that_is_open_costs_no_descriptor_more(
    tree: Kernel, remove: Callable[[Kernel], None], flags: int
) -> None:
    number = tree.write(b"f", b"content").number
    opened(tree, number, flags)
    before = descriptors()
    remove(tree)

    assert descriptors() == before
    assert tree.tree.inodes.getattr(number).links == 0


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY])
def test_a_file_is_there_after_its_close_until_it_is_forgotten(tree: Kernel, flags: int) -> None:
    """By another name of an open file (/proc/self/fd) for instance."""
    before = descriptors()
    number = tree.write(b"f", b"content").number
    handle = opened(tree, number, flags)
    tree.unlink(b"f")
    tree.tree.files.release(handle)
    again = opened(tree, number)
    content = tree.tree.files.read(again, 0, 100)
    tree.tree.files.release(again)

    assert content == b"content"
    assert tree.tree.inodes.getattr(number).links == 0
    tree.forget_all()
    assert descriptors() == before


@pytest.mark.parametrize("first", [0, 1])
def test_of_several_open_files_of_one_inode_one_does_for_it(tree: Kernel, first: int) -> None:
    number = tree.write(b"f", b"content").number
    before = descriptors()
    handles = [opened(tree, number), opened(tree, number)]
    tree.unlink(b"f")
    counts = [descriptors() - before]
    for handle in (handles[first], handles[1 - first]):
        tree.tree.files.release(handle)
        counts.append(descriptors() - before)
        assert tree.tree.inodes.getattr(number).links == 0

    assert counts == [2, 1, 1]


def test_a_file_that_is_forgotten_before_its_close_stays_open(tree: Kernel) -> None:
    """The kernel has FORGETs read before what waits longer."""
    before = descriptors()
    number = tree.write(b"f", b"content").number
    handle = opened(tree, number)
    tree.unlink(b"f")
    tree.forget_all()

    assert tree.tree.files.read(handle, 0, 100) == b"content"
    tree.tree.files.release(handle)
    assert descriptors() == before


def test_a_close_that_fails_loses_no_others_that_are_forgotten(tree: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where what was written to a removed file finds no room on a network disk."""
    removed, other = (tree.write(name, b"content").number for name in (b"f", b"other"))
    handle = opened(tree, removed, os.O_RDWR)
    tree.unlink(b"f")
    tree.tree.files.release(handle)
    close = os.close

    def full(descriptor: int) -> None:
        close(descriptor)
        raise OSError(errno.EDQUOT, "as the disk says it")

    with monkeypatch.context() as patched:
        patched.setattr(os, "close", full)
        tree.forget_all()

    assert not any(map(tree.tree.knows, (removed, other)))


def test_nobody_waits_for_the_close_of_a_removed_file(tree: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk frees all its blocks then, and a network disk has them written before."""
    number = tree.write(b"f", b"content").number
    handle = opened(tree, number, os.O_RDWR)
    tree.unlink(b"f")
    tree.tree.files.release(handle)
    close, waits = os.close, list[bool]()

    def slow(descriptor: int) -> None:
        somebody = threading.Thread(target=tree.tree.inodes.getattr, args=[ROOT], daemon=True)
        somebody.start()
        somebody.join(5)
        waits.append(somebody.is_alive())
        close(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "close", slow)
        tree.forget_all()

    assert waits == [False]


def test_an_end_leaves_no_descriptor(tree_of: Trees) -> None:
    before = descriptors()
    tree = tree_of()
    opened(tree, tree.write(b"f", b"content").number)
    tree.unlink(b"f")
    tree.tree.close()

    assert descriptors() == before


def test_directories_that_are_in_use_leave_descriptors_to_others(tree_of: Trees) -> None:
    with few_descriptors():
        tree = tree_of()
        tree.mkdir(b"other")
        numbers = []
        for _ in range(FEW):
            numbers.append(tree.mkdir(b"d").number)
            tree.rmdir(b"d")

        assert tree.entries(b"other").keys() == {b".", b".."}
        assert tree.tree.inodes.getattr(numbers[0]).links == 0
        with refused(errno.ENOENT):
            tree.tree.inodes.getattr(numbers[-1])
