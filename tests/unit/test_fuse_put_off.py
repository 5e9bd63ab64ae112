"""A close lets what programs wait for go first: not for long, and never what minds whether a file is open."""

import errno
import struct
import threading
from collections.abc import Sequence

import pytest

from katafs.fuse import wire
from katafs.fuse.operations import Later, Opened
from katafs.fuse.put_off import PutOff
from katafs.fuse.requests import Request
from tests.harness.waiting import until
from tests.unit.fuse_kernel import Served
from tests.unit.fuse_recorder import Recorder, ScarceMemory, failing
from tests.unit.test_fuse_wire import Told

FILE, ANOTHER = 11, 12
CLOSE = struct.pack("=QIIQ", 5, 0, 0, 0)
OPEN, LOOKUP = (wire.OPEN, bytes(8), ANOTHER), (wire.LOOKUP, b"name\0", ANOTHER)


def send_at_once(served: Served, recorder: Recorder, requests: Sequence[tuple[int, bytes, int]]) -> list[int]:
    """Send requests so that all of them wait before the first is read, behind one that is answered first."""
    gate, begun = threading.Event(), threading.Event()

    def hold() -> bytes:
        begun.set()
        gate.wait(30)
        return b""

    recorder.answers["readlink"] = hold
    held = served.kernel.send(wire.READLINK)
    assert begun.wait(30)
    uniques = [served.kernel.send(*request) for request in requests]
    gate.set()
    assert served.kernel.receive() == (held, 0, b"")
    return uniques


def order_of(served: Served, recorder: Recorder, requests: Sequence[tuple[int, bytes, int]]) -> list[int]:
    """In which order requests that wait at the same time are answered: the first one is 0."""
    uniques = send_at_once(served, recorder, requests)
    return [uniques.index(served.kernel.receive()[0]) for _ in requests]


@pytest.fixture
def one_thread(served: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    """The same with nobody who begins to read when a request takes its time, which would mix up the order."""
    monkeypatch.setattr("katafs.fuse.readers.Readers._hand_over", lambda _: None)
    return served


@pytest.mark.parametrize("closes", [wire.RELEASE, wire.RELEASEDIR])
@pytest.mark.parametrize("follows", [OPEN, (wire.CREATE, bytes(16) + b"name\0", ANOTHER), (wire.OPENDIR, bytes(8), 1)])
def test_an_open_goes_first(
    one_thread: Served, recorder: Recorder, closes: int, follows: tuple[int, bytes, int]
) -> None:
    recorder.answers["create"] = lambda: (Told(), recorder.answers["open"]())
    recorder.answers["opendir"] = lambda: 6
    order = order_of(one_thread, recorder, [(closes, CLOSE, FILE), follows, OPEN])

    assert order == [1, 0, 2]


def test_steps_of_a_path_go_first_with_the_open_that_they_lead_to(one_thread: Served, recorder: Recorder) -> None:
    order = order_of(one_thread, recorder, [(wire.RELEASE, CLOSE, FILE), LOOKUP, LOOKUP, OPEN, LOOKUP])

    assert order == [1, 2, 3, 0, 4]


def test_no_more_than_four_go_first(one_thread: Served, recorder: Recorder) -> None:
    order = order_of(one_thread, recorder, [(wire.RELEASE, CLOSE, FILE), *[LOOKUP] * 6])

    assert order == [1, 2, 3, 4, 0, 5, 6]


def test_the_same_inode_s_requests_keep_their_order(one_thread: Served, recorder: Recorder) -> None:
    order = order_of(one_thread, recorder, [(wire.RELEASE, CLOSE, FILE), (wire.OPEN, bytes(8), FILE)])

    assert order == [0, 1]


@pytest.mark.parametrize(
    "follows",
    [
        (wire.RMDIR, b"name\0", ANOTHER),
        (wire.UNLINK, b"name\0", ANOTHER),
        (wire.RENAME, struct.pack("=Q", 1) + b"old\0new\0", ANOTHER),
        (wire.MKDIR, bytes(8) + b"name\0", ANOTHER),
        (wire.WRITE, struct.pack("=QQIIQI4x", 5, 0, 4, 0, 0, 0) + b"once", ANOTHER),
        (wire.RELEASE, CLOSE, ANOTHER),
    ],
)
def test_what_minds_open_files_goes_after_it(
    one_thread: Served, recorder: Recorder, follows: tuple[int, bytes, int]
) -> None:
    recorder.answers["mkdir"] = Told
    order = order_of(one_thread, recorder, [(wire.RELEASE, CLOSE, FILE), follows])

    assert order == [0, 1]


def test_where_requests_wait_for_the_daemon_none_is_put_off(one_thread: Served, recorder: Recorder) -> None:
    """To put one off has a price, and there is nothing to win."""
    order = order_of(one_thread, recorder, [*[LOOKUP] * 32, (wire.RELEASE, CLOSE, FILE), OPEN])

    assert order == [*range(34)]


def test_alone_it_is_answered_at_once(served: Served, recorder: Recorder) -> None:
    assert served.kernel.ask(wire.RELEASE, CLOSE, FILE) == (0, b"")
    assert recorder.calls == [("release", 5)]


def test_it_is_served_while_what_went_first_is_stuck(served: Served, recorder: Recorder) -> None:
    gate = stuck(recorder, "lookup")
    closing, looking = send_at_once(served, recorder, [(wire.RELEASE, CLOSE, FILE), LOOKUP])

    assert served.kernel.receive()[:2] == (closing, 0)
    gate.set()
    assert served.kernel.receive()[:2] == (looking, 0)


def stuck(recorder: Recorder, operation: str) -> threading.Event:
    """Have an operation wait for this."""
    gate, answer = threading.Event(), recorder.answers[operation]

    def wait() -> object:
        gate.wait(30)
        return answer()

    recorder.answers[operation] = wait
    return gate


def test_no_more_go_first_where_the_last_of_them_is_stuck(served: Served, recorder: Recorder) -> None:
    gate = stuck(recorder, "open")
    requests = [(wire.RELEASE, CLOSE, FILE), OPEN, *[LOOKUP] * 20]
    uniques = send_at_once(served, recorder, requests)

    answered = [uniques.index(served.kernel.receive()[0]) for _ in requests[1:]]
    gate.set()
    assert answered == [0, *range(2, 22)]


def test_none_is_put_off_where_nobody_could_read_on(
    served: Served, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("katafs.fuse.readers._MOST_THREADS", 2)  # the watcher is one
    gate = stuck(recorder, "lookup")
    closing, looking = send_at_once(served, recorder, [(wire.RELEASE, CLOSE, FILE), LOOKUP])

    assert served.kernel.receive()[:2] == (closing, 0)
    gate.set()
    assert served.kernel.receive()[:2] == (looking, 0)


def test_one_that_can_not_be_answered_costs_no_other_its_reply(
    one_thread: Served, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int, __: int) -> None:
        raise OSError(errno.ENOMEM, "no memory")

    recorder.answers["release"] = failing(ZeroDivisionError("oh"))
    monkeypatch.setattr(one_thread.connection.device, "refuse", refuse)
    _, removing = send_at_once(one_thread, recorder, [(wire.RELEASE, CLOSE, FILE), (wire.UNLINK, b"name\0", ANOTHER)])

    assert one_thread.kernel.receive()[:2] == (removing, 0)
    assert [operation for operation, _ in one_thread.said] == ["release", "request"]


def test_an_open_that_finds_no_descriptor_goes_after_it(one_thread: Served, recorder: Recorder) -> None:
    def open_file() -> object:
        if ("release", 5) not in recorder.calls:
            raise OSError(errno.EMFILE, "no more descriptors")
        return Opened(6, keep_cache=False)

    recorder.answers["open"] = open_file
    closing, opening = send_at_once(one_thread, recorder, [(wire.RELEASE, CLOSE, FILE), OPEN])

    assert [one_thread.kernel.receive()[:2] for _ in range(2)] == [(closing, 0), (opening, 0)]
    assert one_thread.connection.operations() == {"open": 1, "readlink": 1, "release": 1}


def test_an_open_that_finds_no_descriptor_without_one_is_refused(served: Served, recorder: Recorder) -> None:
    recorder.answers["open"] = failing(OSError(errno.EMFILE, "no more descriptors"))

    assert served.kernel.ask(*OPEN) == (errno.EMFILE, b"")


def test_what_is_put_off_is_served_where_nothing_more_can_be_read(
    one_thread: Served, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = one_thread.connection.device.read

    def reading(buffer: memoryview, *, patient: bool = True) -> int | None:
        if not patient:
            raise OSError(errno.EIO, "broken")
        return read(buffer, patient=patient)

    monkeypatch.setattr(one_thread.connection.device, "read", reading)
    send_at_once(one_thread, recorder, [])
    one_thread.kernel.send(wire.RELEASE, CLOSE, FILE)

    until(lambda: recorder.calls[-1:] == [("release", 5)], "the file to be closed")


def test_what_is_put_off_after_another_began_to_read_is_served(
    served: Served, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, put = threading.Event(), PutOff.put

    def put_late(put_off: PutOff, request: Request) -> bool:
        gate.wait(30)
        return put(put_off, request)

    monkeypatch.setattr(PutOff, "put", put_late)
    closing = served.kernel.send(wire.RELEASE, CLOSE, FILE)
    assert served.kernel.ask(wire.READLINK) == (0, b"target")  # by another thread, which then sleeps
    gate.set()

    assert served.kernel.receive()[:2] == (closing, 0)


def test_what_is_put_off_at_the_end_is_served(one_thread: Served, recorder: Recorder) -> None:
    def end() -> Told:
        one_thread.connection.device.call_away()
        return Told()

    recorder.answers["lookup"] = end
    send_at_once(one_thread, recorder, [(wire.RELEASE, CLOSE, FILE), LOOKUP])

    assert one_thread.ended.wait(30)
    assert recorder.calls[-1] == ("release", 5)


def test_where_two_are_put_off_neither_lets_another_pass() -> None:
    """For a moment there may be one of a thread that begins to read, too: then they are served in their order."""
    put_off = PutOff()
    closing, another, looking = (
        Request(opcode, unique, node, 0, 0, 0, memoryview(b""))
        for unique, (opcode, node) in enumerate([(wire.RELEASE, FILE), (wire.RELEASE, FILE), (wire.LOOKUP, ANOTHER)])
    )
    put_off.put(closing)
    alone = put_off.let_pass(looking)
    put_off.put(another)

    assert (alone, put_off.let_pass(looking)) == (True, False)


@pytest.mark.parametrize("closes", [wire.RELEASE, wire.RELEASEDIR])
def test_what_there_is_no_memory_to_put_off_is_served_at_once(
    served: Served, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, closes: int
) -> None:
    """The kernel asks once: the file would stay open for ever."""
    monkeypatch.setattr(PutOff, "append", lambda *_: failing(MemoryError())())

    assert served.kernel.ask(closes, CLOSE, FILE) == (0, b"")
    assert [call[1:] for call in recorder.calls] == [(5,)]


@pytest.mark.parametrize(("closes", "name"), [(wire.RELEASE, "release"), (wire.RELEASEDIR, "releasedir")])
@pytest.mark.parametrize("later", [False, True], ids=["at once", "in a pool"])
def test_what_there_is_no_memory_to_close_is_closed_when_there_is(
    served: Served, recorder: Recorder, closes: int, name: str, later: bool
) -> None:
    close = ScarceMemory()
    recorder.answers[name] = lambda: Later(recorder.pool, close) if later else close()

    assert served.kernel.ask(closes, CLOSE, FILE) == (0, b"")
    assert close.is_done
    assert served.connection.operations() == {name: 1}
