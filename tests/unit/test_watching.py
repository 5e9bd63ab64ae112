"""Watched requests: what the watcher is told, and that without one nothing is done for it."""

import errno
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, cast

import pytest

from katafs.errors import StoreUnreachable
from katafs.fuse import wire
from katafs.fuse.operations import Later, Operations
from katafs.fuse.requests import Request
from katafs.mount.watching import Done, noting
from tests.unit.fuse_kernel import Served, serving


class Told(NamedTuple):
    """What a watcher was told of a request."""

    operation: str
    node: int
    pid: int
    errno: int


class Answers:
    """Operations that answer with what a test has set."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1)
        self.error: Exception | None = None
        self.later = False

    def readlink(self, _: int) -> bytes | Later[bytes]:
        return Later(self.pool, self._answer) if self.later else self._answer()

    def _answer(self) -> bytes:
        if self.error is not None:
            raise self.error
        return b"target"


class Watcher:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.blind = False

    def note(self, operation: str, request: Request) -> Done | None:
        if self.blind:
            return None
        return lambda number, ns: self.told.append(Told(operation, request.node, request.pid, number if ns else -1))


@pytest.fixture
def answers() -> Iterator[Answers]:
    answers = Answers()
    yield answers
    answers.pool.shutdown()


@pytest.fixture
def served(answers: Answers) -> Iterator[Served]:
    with serving(cast(Operations, answers)) as served:
        yield served


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
    served: Served, answers: Answers, later: bool, error: Exception | None, number: int
) -> None:
    answers.later, answers.error = later, error
    watcher = Watcher()
    served.connection.watch(noting(watcher.note))

    answered = served.kernel.ask(wire.READLINK, node=5)

    assert answered == (number, b"" if error else b"target")
    assert watcher.told == [Told("readlink", 5, 9, number)]


def test_who_has_gone_is_told_of_nothing(served: Served) -> None:
    gone, other = Watcher(), Watcher()
    watchings = [noting(gone.note), noting(other.note)]
    for watching in watchings:
        served.connection.watch(watching)
    served.kernel.ask(wire.READLINK)

    served.connection.unwatch(watchings[0])
    served.kernel.ask(wire.READLINK)

    assert (len(gone.told), len(other.told)) == (1, 2)


def test_what_nobody_wants_to_know_is_served_all_the_same(served: Served) -> None:
    watcher = Watcher()
    watcher.blind = True
    served.connection.watch(noting(watcher.note))

    assert served.kernel.ask(wire.READLINK) == (0, b"target")
    assert watcher.told == []


def test_without_a_watcher_requests_are_served_by_the_bare_methods(served: Served) -> None:
    connection = served.connection
    before = connection._methods  # noqa: SLF001  that nothing stands between is all that is to be shown

    watching = noting(Watcher().note)
    connection.watch(watching)
    watched = connection._methods  # noqa: SLF001  as above
    connection.unwatch(watching)

    assert watched is not before
    assert connection._methods is before  # noqa: SLF001  as above
