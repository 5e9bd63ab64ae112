"""Watched requests: what the watcher is told, and that without one nothing is done for it."""

import errno
import itertools
import time
from typing import NamedTuple

import pytest

from katafs.errors import StoreUnreachable
from katafs.fuse import wire
from katafs.fuse.operations import Later
from katafs.fuse.requests import Request
from katafs.mount.watching import Done, noting
from tests.unit.fuse_kernel import Served
from tests.unit.fuse_recorder import Recorder, failing


class Told(NamedTuple):
    """What a watcher was told of a request."""

    operation: str
    node: int
    pid: int
    errno: int


class Watcher:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.blind = False

    def note(self, operation: str, request: Request) -> Done | None:
        if self.blind:
            return None
        return lambda number, ns: self.told.append(Told(operation, request.node, request.pid, number if ns else -1))


@pytest.mark.parametrize("later", [False, True], ids=["at once", "in a pool"])
@pytest.mark.parametrize(
    ("error", "number"),
    [
        (None, 0),
        (OSError(errno.ENOTEMPTY, "no"), errno.ENOTEMPTY),
        (StoreUnreachable("gone"), errno.EIO),
        (ZeroDivisionError("oh"), errno.EIO),
    ],
)
def test_the_watcher_is_told_of_each_end(
    served: Served,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    later: bool,
    error: Exception | None,
    number: int,
) -> None:
    answer = (lambda: b"target") if error is None else failing(error)
    recorder.answers["readlink"] = (lambda: Later(recorder.pool, answer)) if later else answer
    watcher = Watcher()
    served.connection.methods.watch(noting(watcher.note))
    monkeypatch.setattr(time, "perf_counter_ns", itertools.count().__next__)  # a coarse one stands still meanwhile

    answered = served.kernel.ask(wire.READLINK, node=5)

    assert answered == (number, b"" if error else b"target")
    assert watcher.told == [Told("readlink", 5, 9, number)]


def test_who_has_gone_is_told_of_nothing(served: Served) -> None:
    gone, other = Watcher(), Watcher()
    watchings = [noting(gone.note), noting(other.note)]
    for watching in watchings:
        served.connection.methods.watch(watching)
    served.kernel.ask(wire.READLINK)

    served.connection.methods.unwatch(watchings[0])
    served.kernel.ask(wire.READLINK)

    assert (len(gone.told), len(other.told)) == (1, 2)


def test_what_nobody_wants_to_know_is_served_all_the_same(served: Served) -> None:
    watcher = Watcher()
    watcher.blind = True
    served.connection.methods.watch(noting(watcher.note))

    assert served.kernel.ask(wire.READLINK) == (0, b"target")
    assert watcher.told == []


def test_without_a_watcher_requests_are_served_by_the_bare_methods(served: Served) -> None:
    connection = served.connection
    before = connection.methods.serving

    watching = noting(Watcher().note)
    connection.methods.watch(watching)
    watched = connection.methods.serving
    connection.methods.unwatch(watching)

    assert watched is not before
    assert connection.methods.serving is before
