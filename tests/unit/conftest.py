"""What tests of the tree, `rooted` and a connection ask for; and how hypothesis searches, the same way in every run."""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import settings

from katafs.config import TreeSettings
from katafs.fuse.operations import Operations
from katafs.tree.tree import Tree
from katafs.volumes.memory import MemoryStore
from tests.harness import needs
from tests.harness.old_disk import OldDisk
from tests.unit.fuse_kernel import Served, serving
from tests.unit.fuse_recorder import Recorder
from tests.unit.kernel import Kernel
from tests.unit.legacy import KATA, SECOND, Beside, beside

settings.register_profile("katafs", deadline=None, derandomize=True, database=None, max_examples=100)
settings.load_profile("katafs")

_PR_GET_SECUREBITS = 27
_PR_SET_SECUREBITS = 28
_libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def hasty() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def own_process() -> Iterator[None]:
    """Undo afterwards what a daemon does to its process: its umask, and capabilities that outlive a change of user."""
    bits = _libc.prctl(_PR_GET_SECUREBITS, 0, 0, 0, 0)
    umask = os.umask(0o022)
    yield
    os.umask(umask)
    if _libc.prctl(_PR_GET_SECUREBITS, 0, 0, 0, 0) != bits:
        assert _libc.prctl(_PR_SET_SECUREBITS, bits, 0, 0, 0) == 0


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    """A store in memory, which fails when it is told to."""
    store = MemoryStore()
    yield store
    store.close()


Trees = Callable[..., Kernel]


@pytest.fixture
def tree_of(store: MemoryStore, own_process: None) -> Iterator[Trees]:
    """Makes trees on `store`, without any mount: `tree_of(layout=Layout.SPLIT)`, one after the other."""
    made: list[Tree] = []

    def make(**options: object) -> Kernel:
        made.append(Tree(store, TreeSettings(**options)))  # type: ignore[arg-type]  # the options are the settings' own
        return Kernel(made[-1])

    yield make
    for tree in made:
        tree.close()


@pytest.fixture
def tree(tree_of: Trees) -> Kernel:
    """A flat tree on `store`."""
    return tree_of()


@pytest.fixture
def old(disk: Path) -> OldDisk:
    """An old disk with two katas."""
    needs.root()
    old = OldDisk(disk)
    for kata in (KATA, SECOND):
        old.make(kata)
    return old


@pytest.fixture
def tree_beside(store: MemoryStore, old: OldDisk, own_process: None) -> Iterator[Beside]:
    """A split tree that has both."""
    with beside(store, old) as tree:
        yield tree


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Operations for a connection."""
    recorder = Recorder()
    yield recorder
    recorder.pool.shutdown()


@pytest.fixture
def served(recorder: Recorder) -> Iterator[Served]:
    """A connection that asks the recorder."""
    with serving(cast(Operations, recorder)) as served:
        yield served


@pytest.fixture
def source(disk: Path) -> Path:
    """An empty directory to be copied."""
    needs.root()
    (disk / "source").mkdir()
    return disk / "source"


@pytest.fixture
def target(disk: Path) -> Path:
    """An empty directory to copy to."""
    (disk / "target").mkdir()
    return disk / "target"


@pytest.fixture
def top(disk: Path) -> Iterator[int]:
    """An O_PATH descriptor of the directory `disk`, which is all that a volume gives."""
    descriptor = os.open(disk, os.O_PATH | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)
