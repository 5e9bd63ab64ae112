"""A connection whose replies don't come to the kernel: what they would have handed to it is given back."""

import errno
import os
from collections.abc import Callable, Iterator

import pytest

from katafs.fuse import wire
from katafs.fuse.operations import Absent, Later, Opened
from tests.harness.waiting import until
from tests.unit.fuse_kernel import Served
from tests.unit.fuse_recorder import Recorder, ScarceMemory, failing
from tests.unit.test_fuse_wire import Told

NUMBER = Told().number
ENTRY: list[tuple[object, ...]] = [("forget", [(NUMBER, 1)])]
HANDED_OUT: dict[str, tuple[int, bytes, Callable[[], object], list[tuple[object, ...]]]] = {
    "lookup": (wire.LOOKUP, b"n\0", Told, ENTRY),
    "mkdir": (wire.MKDIR, bytes(8) + b"n\0", Told, ENTRY),
    "mknod": (wire.MKNOD, bytes(16) + b"n\0", Told, ENTRY),
    "symlink": (wire.SYMLINK, b"n\0t\0", Told, ENTRY),
    "link": (wire.LINK, bytes(8) + b"n\0", Told, ENTRY),
    "open": (wire.OPEN, bytes(8), lambda: Opened(5, keep_cache=False), [("release", 5)]),
    "opendir": (wire.OPENDIR, bytes(8), lambda: 6, [("releasedir", 6)]),
    "create": (
        wire.CREATE,
        bytes(16) + b"n\0",
        lambda: (Told(), Opened(7, keep_cache=False)),
        [("release", 7), *ENTRY],
    ),
}
BY_WHOM = pytest.mark.parametrize("later", [False, True], ids=["at once", "in a pool"])


@pytest.fixture(params=[errno.ENOENT, errno.ENOMEM], ids=["given up", "no memory"])
def refusing(request: pytest.FixtureRequest, served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The kernel doesn't take the first reply that carries something."""
    write, refused = os.write, list[int]()

    def refuse_once(descriptor: int, content: bytes) -> int:
        if descriptor == served.connection.device.descriptor and len(content) > wire.REPLY_HEADER.size and not refused:
            refused.append(request.param)
            raise OSError(request.param, os.strerror(request.param))
        return write(descriptor, content)

    monkeypatch.setattr(os, "write", refuse_once)
    yield request.param
    monkeypatch.undo()


def given_back(recorder: Recorder, name: str) -> list[tuple[object, ...]]:
    """What was asked after the operation itself."""
    return [call for call in recorder.calls if call[0] not in (name, "readlink")]


@BY_WHOM
@pytest.mark.parametrize("name", HANDED_OUT)
def test_what_a_lost_reply_carried_is_given_back(
    served: Served, recorder: Recorder, refusing: int, name: str, later: bool
) -> None:
    opcode, body, answer, giving = HANDED_OUT[name]
    recorder.answers[name] = lambda: Later(recorder.pool, answer) if later else answer()
    served.kernel.send(opcode, body)

    until(lambda: len(given_back(recorder, name)) == len(giving), "all of it to be given back")
    assert given_back(recorder, name) == giving
    if refusing == errno.ENOMEM:  # then somebody waits
        assert served.kernel.receive()[1] == errno.EIO
    assert served.kernel.ask(wire.READLINK) == (0, b"target")


@pytest.mark.parametrize("name", HANDED_OUT)
def test_nothing_is_given_back_of_what_the_kernel_has(served: Served, recorder: Recorder, name: str) -> None:
    opcode, body, answer, _ = HANDED_OUT[name]
    recorder.answers[name] = answer
    assert served.kernel.ask(opcode, body)[0] == 0
    served.kernel.ask(wire.READLINK)

    assert given_back(recorder, name) == []


def test_there_is_nothing_to_give_back_of_a_name_that_is_not_there(
    served: Served, recorder: Recorder, refusing: int
) -> None:
    recorder.answers["lookup"] = lambda: Absent(1.5)
    served.kernel.send(wire.LOOKUP, b"n\0")
    if refusing == errno.ENOMEM:
        served.kernel.receive()
    served.kernel.ask(wire.READLINK)

    assert given_back(recorder, "lookup") == []


def test_a_bug_in_the_giving_back_takes_nothing_else_along(served: Served, recorder: Recorder, refusing: int) -> None:
    recorder.answers["release"] = lambda: 1 // 0
    served.kernel.send(wire.OPEN, bytes(8))
    if refusing == errno.ENOMEM:
        served.kernel.receive()

    assert served.kernel.ask(wire.READLINK) == (0, b"target")
    assert [operation for operation, _ in served.said][-1] == "the taking back of open"


def test_an_error_in_the_giving_back_of_a_file_keeps_nobody_from_giving_back_its_inode(
    served: Served, recorder: Recorder, refusing: int
) -> None:
    recorder.answers["create"] = HANDED_OUT["create"][2]
    recorder.answers["release"] = lambda: 1 // 0
    served.kernel.send(wire.CREATE, HANDED_OUT["create"][1])
    if refusing == errno.ENOMEM:
        served.kernel.receive()
    assert served.kernel.ask(wire.READLINK) == (0, b"target")

    assert given_back(recorder, "create")[1:] == ENTRY


def test_an_error_in_the_giving_back_is_said_also_where_a_pool_does_that(
    served: Served, recorder: Recorder, refusing: int
) -> None:
    recorder.answers["release"] = lambda: Later(recorder.pool, lambda: 1 // 0)
    served.kernel.send(wire.OPEN, bytes(8))
    if refusing == errno.ENOMEM:
        served.kernel.receive()

    until(lambda: [operation for operation, _ in served.said][-1:] == ["release"], "the error to be said")


@pytest.mark.parametrize("want", [RuntimeError("no thread"), MemoryError()], ids=lambda want: type(want).__name__)
def test_what_no_pool_can_give_back_is_given_back_all_the_same(
    served: Served, recorder: Recorder, refusing: int, monkeypatch: pytest.MonkeyPatch, want: Exception
) -> None:
    closed: list[bool] = []
    recorder.answers["release"] = lambda: Later(recorder.pool, lambda: closed.append(True))
    monkeypatch.setattr(recorder.pool, "submit", lambda *_: failing(want)())
    served.kernel.send(wire.OPEN, bytes(8))
    if refusing == errno.ENOMEM:
        served.kernel.receive()

    until(lambda: bool(closed), "the file to be closed")
    assert "the taking back of open" not in [operation for operation, _ in served.said]


@BY_WHOM
def test_what_there_is_no_memory_to_give_back_is_given_back_when_there_is(
    served: Served, recorder: Recorder, refusing: int, later: bool
) -> None:
    close = ScarceMemory()
    recorder.answers["release"] = lambda: Later(recorder.pool, close) if later else close()
    served.kernel.send(wire.OPEN, bytes(8))
    if refusing == errno.ENOMEM:
        served.kernel.receive()

    until(lambda: close.is_done, "the file to be closed", seconds=10)
