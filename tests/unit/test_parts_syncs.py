"""Syncs on another disk than the root volume's: as many at a time as at home, with an eye to what others open there."""

from collections.abc import Iterator
from unittest.mock import Mock

import pytest

from katafs.fuse import wire
from katafs.fuse.requests import Request
from katafs.mount.operations import Operations
from katafs.mount.parts import Parts
from katafs.mount.syncs import LastOpened
from katafs.volumes.disks import Disk
from katafs.volumes.memory import MemoryStore
from tests.unit.kernel import ROOT, Kernel

KATA = b"123456789A"
DISK = Disk(b"9:9")
OPENED = LastOpened()
SYNCS = (wire.FSYNC, wire.FSYNCDIR)


@pytest.fixture
def connection() -> Mock:
    """What gives a part its methods, which say who has made them."""
    connection = Mock()
    connection.dispatcher_of.return_value.methods = dict.fromkeys(SYNCS, Mock(return_value="asked"))
    return connection


@pytest.fixture
def parts(store: MemoryStore, tree: Kernel, connection: Mock) -> Iterator[Parts]:
    """Those of a tree with a kata on this disk."""
    (store.path / KATA.decode()).mkdir()
    parts = Parts(tree.tree, connection, OPENED)
    yield parts
    parts.stop_asking()
    parts.close(60)


@pytest.fixture
def operations(parts: Parts, tree: Kernel, connection: Mock) -> Operations:
    """Those of the part."""
    parts.enter_made(DISK, tree.tree.node(ROOT), KATA)
    (made,) = connection.dispatcher_of.call_args.args
    assert isinstance(made, Operations)
    return made


@pytest.mark.usefixtures("operations")
@pytest.mark.parametrize("kind", SYNCS)
def test_a_sync_waits_in_the_parts_own_threads_for_syncs(
    parts: Parts, tree: Kernel, connection: Mock, kind: int
) -> None:
    """And not in those for whatever the disk is asked, in which eight at a time would be made."""
    number = parts.enter_made(DISK, tree.tree.node(ROOT), KATA).number
    (route,) = connection.methods.route.call_args.args
    asked = Request(kind, 2, number, 0, 0, 0, memoryview(b""))

    assert route(kind, Mock())(asked) == "asked"


def test_it_rests_while_files_are_opened_at_home(operations: Operations) -> None:
    assert operations.last_opened is OPENED


@pytest.mark.parametrize("done", [True, False])
def test_the_end_waits_for_it(
    operations: Operations, parts: Parts, monkeypatch: pytest.MonkeyPatch, *, done: bool
) -> None:
    closed: list[Operations] = []

    def close(which: Operations, seconds: float) -> bool:
        assert seconds <= 60
        closed.append(which)
        return done

    with monkeypatch.context() as patched:
        patched.setattr(Operations, "close", close)
        assert parts.close(60) == done

    assert closed == [operations]
