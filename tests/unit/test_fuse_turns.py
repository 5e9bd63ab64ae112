"""A connection whose requests take their time, in a pool or not, are interrupted, or aren't over with the reply."""

import errno
import struct
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar, cast

import pytest

from katafs.fuse import replies, wire
from katafs.fuse.operations import Answer, Later, Operations, Writing
from katafs.mount.lanes import Lanes
from tests.harness.waiting import until
from tests.unit.fuse_kernel import Served
from tests.unit.fuse_recorder import Recorder, failing
from tests.unit.test_fuse_wire import Told

P = ParamSpec("P")
R = TypeVar("R")


def test_others_are_served_while_a_pool_is_at_a_request(served: Served, recorder: Recorder) -> None:
    gate = threading.Event()
    recorder.answers["fsync"] = lambda: Later(recorder.pool, lambda: gate.wait(30))
    waiting = served.kernel.send(wire.FSYNC, bytes(16))

    assert served.kernel.ask(wire.READLINK) == (0, b"target")
    gate.set()
    assert served.kernel.receive() == (waiting, 0, b"")


def test_others_are_served_while_a_request_keeps_the_reading_thread(served: Served, recorder: Recorder) -> None:
    gates = [threading.Event() for _ in range(3)]
    left = iter(gates)
    recorder.answers["getattr"] = lambda: (next(left).wait(30), Told())[1]
    waiting = [served.kernel.send(wire.GETATTR, bytes(16)) for _ in gates]

    assert served.kernel.ask(wire.READLINK) == (0, b"target")
    for gate, unique in zip(gates, waiting, strict=True):
        gate.set()
        assert served.kernel.receive()[:2] == (unique, 0)
    assert served.kernel.ask(wire.READLINK) == (0, b"target")


class Around:
    """What a listing is given within: notes what it sees."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.seen: list[object] = []
        self.given = threading.Event()
        self._failure = failure

    def __enter__(self) -> None:
        self.seen.append("begin")

    def __exit__(self, problem: type[BaseException] | None, *_: object) -> None:
        self.seen.append(problem if problem or self.given.wait(30) else "no reply")
        if self._failure is not None:
            raise self._failure


def listed_within(recorder: Recorder, around: Around, *, later: bool) -> None:
    """Have listings given within this, by the reading thread or by a pool's."""

    def answer() -> object:
        listing = cast(replies.Entries, recorder.calls[-1][-1])
        listing.give_within(around)
        return Later(recorder.pool, lambda: None) if later else None

    recorder.answers["readdir"] = answer


BY_WHOM = pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])


@BY_WHOM
def test_a_listing_is_given_within_what_it_asks_for(served: Served, recorder: Recorder, later: bool) -> None:
    around = Around()
    listed_within(recorder, around, later=later)
    answered = served.kernel.ask(wire.READDIRPLUS, bytes(wire.READ_IN.size))
    around.given.set()

    assert answered == (0, b"")
    until(lambda: len(around.seen) == 2, "its end")
    assert around.seen == ["begin", None]


@BY_WHOM
def test_a_listing_that_can_not_be_given_says_so(
    served: Served, recorder: Recorder, later: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    around = Around()
    listed_within(recorder, around, later=later)
    monkeypatch.setattr(served.connection.device, "reply", lambda *_: failing(OSError(errno.ENOMEM, "no memory"))())

    assert served.kernel.ask(wire.READDIRPLUS, bytes(wire.READ_IN.size)) == (errno.EIO, b"")
    assert around.seen == ["begin", OSError]


@BY_WHOM
def test_a_bug_after_a_listing_was_given_is_told(served: Served, recorder: Recorder, later: bool) -> None:
    """The kernel passes over what is answered to a request that has its reply (ENOENT)."""
    around = Around(ZeroDivisionError("oh"))
    listed_within(recorder, around, later=later)
    assert served.kernel.ask(wire.READDIRPLUS, bytes(wire.READ_IN.size)) == (0, b"")
    around.given.set()
    _, error, _ = served.kernel.receive()

    assert error == errno.EIO
    assert [operation for operation, _ in served.said] == ["the reply to readdir"]
    assert served.kernel.ask(wire.READLINK) == (0, b"target")


def test_what_a_write_in_a_pool_is_to_write_stays(served: Served, recorder: Recorder) -> None:
    gate, written = threading.Event(), list[bytes]()

    def write(_: int, __: int, content: memoryview, ___: Writing) -> Answer[int]:
        def call() -> int:
            gate.wait(30)
            written.append(bytes(content))
            return len(content)

        return Later(recorder.pool, call)

    recorder.__dict__["write"] = write
    contents = [letter * 5000 for letter in (b"a", b"b")]
    for content in contents:
        served.kernel.send(wire.WRITE, struct.pack("=QQIIQI4x", 5, 0, 5000, 0, 0, 0) + content)
    served.kernel.ask(wire.READLINK)
    gate.set()
    for _ in contents:
        served.kernel.receive()

    assert written == contents


def waiting_requests(served: Served, recorder: Recorder) -> tuple[threading.Event, Sequence[int]]:
    """Two requests for one thread: the first has begun, the second has not."""
    begun, gate = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        gate.wait(30)

    recorder.answers["fsync"] = lambda: Later(recorder.pool, wait)
    uniques = [served.kernel.send(wire.FSYNC, bytes(16)) for _ in range(2)]
    assert begun.wait(30)
    return gate, uniques


def test_an_interrupted_request_that_was_not_begun_is_eintr(served: Served, recorder: Recorder) -> None:
    gate, (first, second) = waiting_requests(served, recorder)

    served.kernel.send(wire.INTERRUPT, struct.pack("=Q", second))

    assert served.kernel.receive() == (second, errno.EINTR, b"")
    gate.set()
    assert served.kernel.receive() == (first, 0, b"")


def test_a_request_for_a_pool_that_is_closed_by_then_is_eio(served: Served, recorder: Recorder) -> None:
    recorder.pool.shutdown()
    recorder.answers["fsync"] = lambda: Later(recorder.pool, lambda: None)

    assert served.kernel.ask(wire.FSYNC, bytes(16)) == (errno.EIO, b"")


@pytest.mark.parametrize(
    ("name", "opcode"), [("release", wire.RELEASE), ("releasedir", wire.RELEASEDIR)], ids=["file", "directory"]
)
def test_what_no_thread_can_be_had_to_close_is_closed_all_the_same(
    served: Served, recorder: Recorder, name: str, opcode: int
) -> None:
    """The kernel asks once: it would stay open for ever."""
    closed = threading.Event()
    recorder.pool.shutdown()
    recorder.answers[name] = lambda: Later(recorder.pool, closed.set)

    assert served.kernel.ask(opcode, bytes(wire.RELEASE_IN.size)) == (0, b"")
    assert closed.is_set()


class SlowToSubmit(Executor):
    """A pool that never begins, and into whose queue a call doesn't come before this is set."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.reached = threading.Event()

    def submit(self, _: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        self.reached.set()
        assert self.gate.wait(30)
        return Future()


def test_a_request_that_is_interrupted_on_its_way_to_a_pool_is_eintr(served: Served, recorder: Recorder) -> None:
    """The interrupt is read by another thread, which took over while the first was at it."""
    pool = SlowToSubmit()
    recorder.answers["fsync"] = lambda: Later(pool, lambda: None)
    unique = served.kernel.send(wire.FSYNC, bytes(16))
    assert pool.reached.wait(30)
    served.kernel.send(wire.INTERRUPT, struct.pack("=Q", unique))
    assert served.kernel.ask(wire.READLINK) == (0, b"target")  # the interrupt was served before it
    pool.gate.set()

    assert served.kernel.receive() == (unique, errno.EINTR, b"")


def test_an_interrupted_request_that_was_begun_comes_to_its_end(served: Served, recorder: Recorder) -> None:
    gate, (first, second) = waiting_requests(served, recorder)

    served.kernel.send(wire.INTERRUPT, struct.pack("=Q", first))
    assert served.kernel.ask(wire.READLINK) == (0, b"target")
    gate.set()

    assert [served.kernel.receive()[:2] for _ in range(2)] == [(first, 0), (second, 0)]


def test_an_interrupt_of_an_answered_request_is_passed_over(served: Served) -> None:
    served.kernel.send(wire.INTERRUPT, struct.pack("=Q", 4711))

    assert served.kernel.ask(wire.READLINK) == (0, b"target")


def test_the_end_lets_nobody_wait_for_a_request_that_is_not_answered(recorder: Recorder) -> None:
    """Its thread may wait for a disk for ever, and hold the process and all its descriptors as long. What waited behind
    it isn't begun."""
    gate, begun = threading.Event(), list[int]()
    lanes = Lanes("test", threads=1, share=1)

    def wait() -> None:
        begun.append(1)
        gate.wait(30)

    recorder.answers["fsync"] = lambda: Later(lanes.of("one"), wait)
    served = Served(cast(Operations, recorder))
    served.connection.start()
    for _ in range(2):
        served.kernel.send(wire.FSYNC, bytes(16))
    until(lambda: len(recorder.calls) == 2 and bool(begun), "the first to be at work")
    served.connection.close(0.1)
    served.ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        served.ours.recv(1)
    served.connection.abandon()

    assert served.ours.recv(1) == b""
    gate.set()
    assert lanes.close(30)
    assert begun == [1]
    served.ours.close()
