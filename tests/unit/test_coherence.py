"""What is done when a container comes to use a volume, without a kernel: what waits does so until the test lets it."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from katafs.fuse.connection import Connection
from katafs.kata_id import VolumeName
from katafs.mount import coherence
from katafs.mount.coherence import Coherence
from katafs.tree.kept import Kept
from katafs.tree.tree import Tree
from tests.harness.waiting import until

VOLUME = VolumeName("AAAAAAAAAA")


class Mount:
    """A tree and a connection that note what is dropped, and have a request under way for as long as the test likes."""

    def __init__(self) -> None:
        self.kept = Kept([7], [(7, b"name")])
        self.expired: list[bytes] = []
        self.replied = threading.Event()
        device = SimpleNamespace(expire_entry=self._expire, invalidate_inode=lambda _: None)
        self.looked: Callable[[], None] = lambda: None
        """Called after each look at what is kept."""
        tree = SimpleNamespace(kept_of=lambda _: self._look())
        connection = SimpleNamespace(device=device, under_way=lambda: lambda: not self.replied.is_set())
        self.coherence = Coherence(cast("Tree", tree), cast("Connection", connection))

    def _look(self) -> Kept:
        kept = self.kept
        self.looked()
        return kept

    def _expire(self, _: int, name: bytes) -> None:
        self.expired.append(name)


def at_work() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "katafs-coherence"]


@pytest.fixture
def mount() -> Iterator[Mount]:
    """One, which comes to its end."""
    mount = Mount()
    yield mount
    mount.coherence.close(60)


def test_what_the_kernel_keeps_is_dropped_when_a_container_comes(mount: Mount) -> None:
    mount.replied.set()
    mount.coherence.used(VOLUME)
    until(lambda: mount.expired == [b"name"], "the name to be dropped")


def test_what_was_told_meanwhile_is_dropped_when_the_replies_have_come(mount: Mount) -> None:
    mount.coherence.used(VOLUME)
    until(lambda: mount.expired == [b"name"], "the name to be dropped")
    mount.kept = Kept([7], [(7, b"told meanwhile")])
    mount.replied.set()
    until(lambda: mount.expired[1:] == [b"told meanwhile"] * 2, "the other name to be dropped twice")


def test_what_was_told_by_a_reply_that_came_right_after_the_look_is_dropped(mount: Mount) -> None:
    def reply() -> None:
        mount.kept = Kept([7], [(7, b"told meanwhile")])
        mount.replied.set()

    mount.looked = reply
    mount.coherence.used(VOLUME)
    until(lambda: b"told meanwhile" in mount.expired, "the other name to be dropped")


def test_a_container_that_comes_while_replies_are_waited_for_has_all_dropped_at_once(
    mount: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one before has gone meanwhile, and the kernel was let keep things again."""
    monkeypatch.setattr(coherence, "_REPLIES_S", 3600.0)
    mount.coherence.used(VOLUME)
    until(lambda: mount.expired == [b"name"], "the name to be dropped")
    mount.kept = Kept([7], [(7, b"kept since")])
    mount.coherence.used(VOLUME)
    until(lambda: b"kept since" in mount.expired, "what is kept since to be dropped")

    assert not mount.replied.is_set()


def test_the_next_container_finds_a_dropping_that_failed_done(mount: Mount) -> None:
    def fail() -> None:
        mount.looked = lambda: None
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    mount.looked = fail
    mount.replied.set()
    mount.coherence.used(VOLUME)
    until(lambda: not at_work(), "the dropping to have failed")
    mount.coherence.used(VOLUME)
    until(lambda: mount.expired == [b"name"], "the name to be dropped")


def test_the_end_does_not_wait_for_replies(mount: Mount) -> None:
    mount.coherence.used(VOLUME)
    until(lambda: mount.expired == [b"name"], "the name to be dropped")
    mount.coherence.close(60)
    before = list(mount.expired)
    mount.coherence.used(VOLUME)

    assert mount.expired == before
    assert not at_work()
