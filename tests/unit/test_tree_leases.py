"""A file's owner in a container may take a lease on it: whoever opens the file then would wait for the owner."""

import errno
import fcntl
import os
import signal
from collections.abc import Iterator

import pytest

from katafs.tree.inodes import Changes
from katafs.volumes.memory import MemoryStore
from tests.harness.refusals import refused
from tests.unit.kernel import ME, Kernel


@pytest.fixture
def leased(tree: Kernel, store: MemoryStore) -> Iterator[int]:
    """The inode number of a file on which somebody has a lease."""
    number = tree.write(b"f", b"content").number
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    owner = os.open(store.path / "katafs_root" / "f", os.O_RDWR)
    fcntl.fcntl(owner, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    yield number
    os.close(owner)
    signal.signal(signal.SIGIO, before)


@pytest.mark.timeout(30)
def test_an_open_does_not_wait_for_a_lease(tree: Kernel, leased: int) -> None:
    with refused(errno.EAGAIN):
        tree.tree.files.open(leased, os.O_RDONLY, ME)


@pytest.mark.timeout(30)
def test_a_truncation_does_not_wait_for_a_lease(tree: Kernel, leased: int) -> None:
    with refused(errno.EAGAIN):
        tree.tree.inodes.setattr(leased, Changes(size=0), None, ME)
