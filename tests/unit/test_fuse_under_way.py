"""What a connection says is still being answered of what was when it was asked."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

import pytest

from katafs.fuse import wire
from katafs.fuse.operations import Later
from tests.harness.waiting import until
from tests.unit.fuse_kernel import Served
from tests.unit.fuse_recorder import Recorder

P = ParamSpec("P")
R = TypeVar("R")


class Gate:
    """What a request waits at."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def wait(self) -> None:
        self.reached.set()
        assert self.open.wait(30)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


def test_it_is_left_while_the_reading_thread_is_at_it(served: Served, recorder: Recorder, gate: Gate) -> None:
    recorder.answers["fsync"] = gate.wait
    served.kernel.send(wire.FSYNC, bytes(16))
    assert gate.reached.wait(30)
    is_left = served.connection.under_way()

    assert is_left()
    gate.open.set()
    until(lambda: not is_left(), "its reply")


def test_it_is_left_while_a_pool_is_at_it(served: Served, recorder: Recorder, gate: Gate) -> None:
    recorder.answers["fsync"] = lambda: Later(recorder.pool, gate.wait)
    served.kernel.send(wire.FSYNC, bytes(16))
    assert gate.reached.wait(30)
    served.kernel.ask(wire.READLINK)
    is_left = served.connection.under_way()

    assert is_left()
    gate.open.set()
    until(lambda: not is_left(), "its reply")


def test_what_a_pool_has_not_begun_is_not_waited_for(served: Served, recorder: Recorder, gate: Gate) -> None:
    """It has told nothing yet, and may wait long."""
    first = Gate()
    recorder.answers["fsync"] = lambda: Later(recorder.pool, first.wait)
    served.kernel.send(wire.FSYNC, bytes(16))
    assert first.reached.wait(30)
    recorder.answers["fsync"] = lambda: Later(recorder.pool, gate.wait)
    served.kernel.send(wire.FSYNC, bytes(16))
    served.kernel.ask(wire.READLINK)
    is_left = served.connection.under_way()
    first.open.set()
    assert gate.reached.wait(30)

    until(lambda: not is_left(), "the first one's reply alone")


class SlowToReturn(Executor):
    """A pool that has begun a call before who submits it goes on."""

    def __init__(self, pool: Executor, submitted: Gate) -> None:
        self._pool = pool
        self._submitted = submitted

    def submit(self, call: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        future = self._pool.submit(call, *args, **kwargs)
        self._submitted.wait()
        return future


def test_it_is_left_while_a_pool_is_at_it_that_began_when_the_reading_thread_was_giving_it_away(
    served: Served, recorder: Recorder, gate: Gate
) -> None:
    """What it tells of may be from before that: a name that is to be dropped once the kernel has the reply."""
    submitted = Gate()
    recorder.answers["fsync"] = lambda: Later(SlowToReturn(recorder.pool, submitted), gate.wait)
    served.kernel.send(wire.FSYNC, bytes(16))
    assert gate.reached.wait(30)
    assert submitted.reached.wait(30)
    is_left = served.connection.under_way()
    submitted.open.set()
    until(lambda: not served.connection._readers.at_work(), "the reading thread to go on")  # noqa: SLF001  nothing tells it

    assert is_left()
    gate.open.set()
    until(lambda: not is_left(), "its reply")
