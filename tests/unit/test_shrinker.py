"""The thread that asks the kernel to forget inodes, with a kernel that is played here."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from katafs.fuse.negotiation import Agreement
from katafs.mount.shrinker import Shrinker
from tests.harness.waiting import until
from tests.unit.conftest import Trees
from tests.unit.kernel import Kernel

LIMIT = 80
"""The kernel is asked from 40 on, and 20 are enough."""


class PlayedKernel:
    """Both a connection and its device: forgets what it is asked for, unless that is used."""

    def __init__(self, tree: Kernel) -> None:
        self.agreement = Agreement(45, 0)
        self.device = self
        self.used: set[int] = set()
        self.uses_all = False
        self.faults = 0
        """How many times it refuses."""
        self.threads: set[threading.Thread] = set()
        self._tree = tree

    def prune(self, numbers: Iterable[int]) -> None:
        self.threads.add(threading.current_thread())
        if self.faults:
            self.faults -= 1
            raise OSError(22, "refused")
        for number in numbers:
            if not self.uses_all and number not in self.used and number in self._tree.known:
                self._tree.tree.forget([(number, self._tree.known.pop(number))])


@contextmanager
def shrinking(tree: Kernel) -> Iterator[PlayedKernel]:
    """The thread at work."""
    kernel = PlayedKernel(tree)
    shrinker = Shrinker(tree.tree.surplus, kernel)  # type: ignore[arg-type]  # it plays what is asked of a connection
    shrinker.start()
    yield kernel
    shrinker.close()
    assert not [thread for thread in kernel.threads if thread.is_alive()]


def fill(tree: Kernel, first: int, count: int) -> list[int]:
    """New files; their numbers."""
    return [tree.write(b"%d" % number, b"").number for number in range(first, first + count)]


def test_too_many_are_brought_down_to_enough_by_another_thread(tree_of: Trees) -> None:
    tree = tree_of(inodes=LIMIT)
    with shrinking(tree) as kernel:
        fill(tree, 0, 40)
        until(lambda: tree.tree.surplus.known == 20, "the oldest to be forgotten")

    assert threading.current_thread() not in kernel.threads
    assert tree.tree.surplus.most == 41


def test_those_that_are_used_are_passed_over(tree_of: Trees) -> None:
    tree = tree_of(inodes=LIMIT)
    with shrinking(tree) as kernel:
        kernel.used = set(fill(tree, 0, 15))
        fill(tree, 100, 25)
        until(lambda: tree.tree.surplus.known == 20, "others to be forgotten")

    assert kernel.used <= tree.known.keys()


def test_more_in_use_than_the_bound_are_told_of_and_kept(tree_of: Trees, caplog: pytest.LogCaptureFixture) -> None:
    tree = tree_of(inodes=LIMIT)
    with shrinking(tree) as kernel:
        kernel.uses_all = True
        fill(tree, 0, LIMIT + LIMIT // 8)
        until(lambda: "more than the 80 of -o inodes" in caplog.text, "the warning")

    assert tree.tree.surplus.known == 1 + LIMIT + LIMIT // 8


def test_a_fault_is_logged_and_survived(tree_of: Trees, caplog: pytest.LogCaptureFixture) -> None:
    tree = tree_of(inodes=LIMIT)
    with shrinking(tree) as kernel:
        kernel.faults = 1
        fill(tree, 0, 40)
        until(lambda: "a bug in katafs: asking the kernel to forget inodes" in caplog.text, "the fault to be logged")
        until(lambda: tree.tree._core.nodes.alarm_at < 100, "the alarm to be set again")  # noqa: SLF001  # told nowhere
        fill(tree, 100, LIMIT // 8 + 1)
        until(lambda: tree.tree.surplus.known == 20, "the oldest to be forgotten")


def test_listings_wait_where_more_come_than_go(tree_of: Trees, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's one lock would else keep the thread from asking the kernel, here one that never does."""
    tree = tree_of(inodes=LIMIT)
    pauses_s: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses_s.append)
    tree.mkdir(b"d")
    tree.write(b"d/file", b"")
    fill(tree, 0, LIMIT - 3)
    tree.entries(b"d")
    before = len(pauses_s)
    fill(tree, LIMIT, 1)
    tree.entries(b"d")

    assert tree.tree.surplus.known == LIMIT + 1
    assert (before, len(pauses_s)) == (0, 1)
