"""A sync that has waited for another rests first, where other volumes are in use: the reader there has turns."""

import os
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from katafs.fuse.operations import Later, Opened
from katafs.mount import syncs
from katafs.mount.operations import Operations
from tests.unit.kernel import ME, Kernel

HERE, THERE = b"123456789A", b"23456789AB"


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each rest was to be. However long this machine takes, no sync is slow."""
    taken: list[float] = []
    monkeypatch.setattr(syncs, "time", SimpleNamespace(monotonic=time.monotonic, sleep=taken.append))
    monkeypatch.setattr(syncs, "_QUICK_S", 60.0)
    return taken


class Mount:
    """Operations on two katas that have a file each, which is open."""

    def __init__(self, tree: Kernel) -> None:
        self.operations = Operations(tree.tree)
        self.directories, self.files, self._handles = dict[bytes, int](), dict[bytes, int](), dict[bytes, int]()
        for kata in (HERE, THERE):
            self.directories[kata] = tree.mkdir(kata).number
            self.files[kata] = tree.write(kata + b"/f", b"").number
            self._handles[kata] = tree.tree.files.open(self.files[kata], os.O_WRONLY, ME)

    def asked(self, kata: bytes = HERE) -> Callable[[], object]:
        """A sync of the kata's file that was asked for, and is to be made."""
        later = self.operations.fsync(self._handles[kata], data_only=False)
        assert isinstance(later, Later)
        return later.call

    def open(self, kata: bytes) -> None:
        """Its file."""
        assert isinstance(self.operations.open(self.files[kata], os.O_RDONLY, ME), Opened)

    def list(self, kata: bytes) -> None:
        """Its directory."""
        assert isinstance(self.operations.opendir(self.directories[kata]), int)


@pytest.fixture
def mount(tree: Kernel) -> Mount:
    return Mount(tree)


@pytest.mark.parametrize("use", [Mount.open, Mount.list])
def test_one_that_waited_rests_while_others_are_used(
    mount: Mount, rests: list[float], use: Callable[[Mount, bytes], None]
) -> None:
    first, second = mount.asked(), mount.asked()
    use(mount, THERE)
    first()
    assert rests == []

    second()
    assert rests == [syncs._REST_S]  # noqa: SLF001  how long is measured, and told nowhere else


def test_it_rests_once_for_each_use(mount: Mount, rests: list[float]) -> None:
    first, *more = (mount.asked() for _ in range(4))
    first()
    for number, sync in enumerate(more):
        if number != 1:
            mount.open(THERE)
        sync()

    assert len(rests) == 2


def test_none_rests_where_nobody_else_is_at_work(mount: Mount, rests: list[float]) -> None:
    """Who syncs by many threads in one kata has the whole disk, if nobody else wants it."""
    asked = [mount.asked() for _ in range(3)]
    mount.open(HERE)
    for sync in asked:
        sync()

    assert rests == []


def test_one_that_came_alone_does_not_rest(mount: Mount, rests: list[float]) -> None:
    """Most programs sync one file after the other."""
    for _ in range(3):
        mount.open(THERE)
        mount.asked()()

    assert rests == []


def test_none_rests_where_syncs_take_their_time(
    mount: Mount, rests: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = mount.asked(), mount.asked()
    monkeypatch.setattr(syncs, "_QUICK_S", 0.0)
    mount.open(THERE)
    first()
    second()

    assert rests == []
