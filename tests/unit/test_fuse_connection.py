"""A connection with a kernel that is played: every request gets its reply, whatever happens in it."""

import errno
import os
import struct
from typing import cast

import pytest

from katafs.errors import StoreUnreachable
from katafs.fuse import device, intake, negotiation, wire
from katafs.fuse.operations import Later, Operations
from tests.harness.waiting import until
from tests.unit.fuse_kernel import Served, serving
from tests.unit.fuse_recorder import Recorder, failing


class Panic(BaseException):
    """Like pyo3's."""


ERRORS = [
    (OSError(errno.ENOTEMPTY, "not empty"), errno.ENOTEMPTY),
    (StoreUnreachable("gone"), errno.EIO),
    (ZeroDivisionError("oh"), errno.EIO),
    (RecursionError("deep"), errno.EIO),
    (MemoryError(), errno.EIO),
]


@pytest.mark.parametrize(("error", "number"), ERRORS, ids=lambda value: type(value).__name__)
def test_an_error_is_replied_with_what_its_explanation_is(
    served: Served, recorder: Recorder, error: Exception, number: int
) -> None:
    recorder.answers["readlink"] = failing(error)

    assert served.kernel.ask(wire.READLINK) == (number, b"")
    assert served.said == [("readlink", error)]


@pytest.mark.parametrize(("error", "number"), ERRORS, ids=lambda value: type(value).__name__)
def test_so_is_one_in_a_pool(served: Served, recorder: Recorder, error: Exception, number: int) -> None:
    recorder.answers["fsync"] = lambda: Later(recorder.pool, failing(error))

    assert served.kernel.ask(wire.FSYNC, bytes(16)) == (number, b"")
    assert served.said == [("fsync", error)]


def test_a_panic_of_a_compiled_module_is_replied_to(served: Served, recorder: Recorder) -> None:
    """pyo3's PanicException is no Exception. Without a reply the program would wait for ever, also for its own end."""
    recorder.answers["fsync"] = lambda: Later(recorder.pool, failing(Panic("oh")))

    assert served.kernel.ask(wire.FSYNC, bytes(16)) == (errno.EIO, b"")
    assert [str(error) for _, error in served.said] == ["Panic('oh')"]


def test_where_there_is_no_memory_to_wait_for_a_pool_there_is_a_reply(
    served: Served, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder.answers["write"] = lambda: Later(recorder.pool, lambda: 4)
    write = struct.pack("=QQIIQI4x", 5, 6, 4, 0, 0, 0) + b"\0abc"
    refused = []
    for owner, name in (
        (served.connection._readers, "_buffer"),  # noqa: SLF001  the largest of what there may be no memory for
        (recorder.pool, "submit"),
    ):
        with monkeypatch.context() as exhausted:
            exhausted.setattr(owner, name, lambda *_: failing(MemoryError())())
            refused.append(served.kernel.ask(wire.WRITE, write))

    assert refused == [(errno.EIO, b"")] * 2
    assert served.kernel.ask(wire.WRITE, write) == (0, struct.pack("=II", 4, 0))


def test_where_there_is_no_memory_for_a_request_there_is_a_reply(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as exhausted:
        exhausted.setattr(intake, "Request", lambda *_: failing(MemoryError())())
        refused = served.kernel.ask(wire.READLINK)
        served.kernel.send(wire.FORGET, struct.pack("=Q", 3))
        refused_after = served.kernel.ask(wire.READLINK)

    assert (refused, refused_after) == ((errno.EIO, b""), (errno.EIO, b""))
    assert served.kernel.ask(wire.READLINK) == (0, b"target")


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(errno.ENOMEM, "no memory")], ids=lambda value: type(value).__name__
)
@pytest.mark.parametrize("later", [False, True])
def test_where_there_is_no_memory_for_a_reply_it_is_tried_again(
    served: Served, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, error: Exception, later: bool
) -> None:
    """Without any, the program would wait for ever, also for its own end."""
    if later:
        recorder.answers["readlink"] = lambda: Later(recorder.pool, lambda: b"target")
    header, failures = device._header, [error] * 3  # noqa: SLF001

    def exhausted(*fields: int) -> bytes:
        if failures:
            raise failures.pop()
        return header(*fields)

    monkeypatch.setattr(device, "_header", exhausted)

    assert served.kernel.ask(wire.READLINK) == (errno.EIO, b"")
    assert served.kernel.ask(wire.READLINK) == (0, b"target")


def test_an_error_that_can_not_be_told_of_is_answered_and_the_next_request_is_served(
    served: Served, recorder: Recorder
) -> None:
    """A reading thread that died of it would leave a mount that hangs."""
    target = recorder.answers["readlink"]
    recorder.answers["readlink"] = failing(StoreUnreachable("gone"))
    served.explained = failing(RuntimeError("can't start new thread"))
    refused = served.kernel.ask(wire.READLINK)
    recorder.answers["readlink"] = target

    assert refused == (errno.EIO, b"")
    assert served.kernel.ask(wire.READLINK) == (0, b"target")


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(errno.ENOMEM, "no memory")], ids=lambda value: type(value).__name__
)
def test_one_reading_that_fails_is_told_and_not_the_end_of_the_mount(
    served: Served, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """All that programs have open would be lost, for a moment without memory."""
    ours = served.connection.device
    read, failures = ours.read, [error]

    def reading(buffer: memoryview, *, patient: bool = True) -> int | None:
        if failures:
            raise failures.pop()
        return read(buffer, patient=patient)

    monkeypatch.setattr(ours, "read", reading)

    assert [served.kernel.ask(wire.READLINK) for _ in range(3)] == [(0, b"target")] * 3
    assert served.said == [("the reading of requests", error)]
    assert not served.ended.is_set()


def test_a_request_that_was_read_when_reading_failed_has_a_reply(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be no memory to say how long it is."""
    ours = served.connection.device
    read, failures = ours.read, [MemoryError()]

    def reading(buffer: memoryview, *, patient: bool = True) -> int | None:
        size = read(buffer, patient=patient)
        if size and failures:
            raise failures.pop()
        return size

    assert served.kernel.ask(wire.READLINK) == (0, b"target")
    monkeypatch.setattr(ours, "read", reading)
    # The first may be read as before, by a reading that has begun already.
    replies = [served.kernel.ask(wire.READLINK) for _ in range(3)]

    assert sorted(replies) == [(0, b"target"), (0, b"target"), (errno.EIO, b"")]
    assert replies[-1] == (0, b"target")


def test_reading_that_goes_on_failing_is_the_end(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_PAUSE_S", 0.001)
    with serving(cast(Operations, recorder)) as served:
        monkeypatch.setattr(served.connection.device, "read", lambda *_, **__: failing(OSError(errno.EINVAL, "no"))())
        served.kernel.ask(wire.READLINK)
        until(served.ended.is_set, "the end to be told")


def test_an_error_while_forgetting_is_told_and_the_next_request_is_served(served: Served, recorder: Recorder) -> None:
    recorder.answers["forget"] = failing(ZeroDivisionError("oh"))
    served.kernel.send(wire.FORGET, struct.pack("=Q", 3))

    assert served.kernel.ask(wire.READLINK) == (0, b"target")
    assert [operation for operation, _ in served.said] == ["forget"]


@pytest.mark.parametrize("opcode", [7, 19, wire.FLUSH, wire.ACCESS, 47, 51, 52, 4711])
def test_an_unknown_request_is_enosys_and_nobody_is_told(served: Served, opcode: int) -> None:
    assert served.kernel.ask(opcode, bytes(64)) == (errno.ENOSYS, b"")
    assert served.said == []


def test_an_ioctl_is_none_of_this_file_s(served: Served) -> None:
    """Linux 5.10 lets the program have the answer as it is, and ENOSYS would be that there is no ioctl(2)."""
    assert served.kernel.ask(wire.IOCTL, bytes(64)) == (errno.ENOTTY, b"")


MALFORMED = {
    "no name": (wire.LOOKUP, b""),
    "a name without its end": (wire.LOOKUP, b"name"),
    "one name for two": (wire.RENAME, bytes(8) + b"a\0"),
    "too short": (wire.OPEN, b"1234"),
    "a write of less than it says": (wire.WRITE, struct.pack("=QQIIQI4x", 5, 6, 9, 0, 0, 0) + b"abcd"),
    "a value of less than it says": (wire.SETXATTR, struct.pack("=II", 9, 0) + b"user.k\0ab"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_request_is_eio_and_the_next_is_served(served: Served, recorder: Recorder, what: str) -> None:
    assert served.kernel.ask(*MALFORMED[what]) == (errno.EIO, b"")
    assert served.kernel.ask(wire.READLINK) == (0, b"target")
    assert len(served.said) == 1
    assert recorder.calls == [("readlink", 1)]


def test_a_request_of_another_length_than_it_says_is_eio(served: Served) -> None:
    served.kernel.send(wire.READLINK, length=99)

    assert served.kernel.receive()[1] == errno.EIO


def test_less_than_a_header_is_passed_over(served: Served) -> None:
    served.kernel.send_bytes(b"short")

    assert served.kernel.ask(wire.READLINK) == (0, b"target")


def test_init_is_agreed_on(served: Served) -> None:
    error, payload = served.kernel.init()

    assert (error, len(payload)) == (0, 64)
    agreement = served.connection.agreement
    assert agreement is not None
    assert agreement.minor == 38


def test_a_kernel_that_is_too_old_is_told_so_and_that_is_the_end(served: Served) -> None:
    """It asks nothing more, and refuses what programs want of the mount."""
    assert served.kernel.init(minor=20) == (errno.EPROTO, b"")

    until(served.ended.is_set, "the end to be told")
    assert "speaks FUSE 7.20" in str(served.connection.fault)


@pytest.mark.parametrize(
    ("owner", "name"),
    [(negotiation, "agree"), (device.Device, "reply")],
    ids=["what is agreed on", "the reply"],
)
def test_where_there_is_no_memory_for_init_that_is_the_end(
    served: Served, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    """The kernel asks once, and refuses all that programs want from then on: nobody would ever hear of the mount."""
    monkeypatch.setattr(owner, name, lambda *_: failing(MemoryError())())

    assert served.kernel.init() == (errno.EIO, b"")
    until(served.ended.is_set, "the end to be told")


def test_destroy_is_answered(served: Served) -> None:
    assert served.kernel.ask(wire.DESTROY) == (0, b"")


def test_an_inode_is_invalidated(served: Served) -> None:
    served.connection.device.invalidate_inode(9)

    assert served.kernel.receive() == (0, -wire.NOTIFY_INVAL_INODE, struct.pack("=Qqq", 9, 0, 0))


def test_an_entry_is_expired(served: Served) -> None:
    served.connection.device.expire_entry(9, b"name")

    assert served.kernel.receive() == (0, -wire.NOTIFY_INVAL_ENTRY, struct.pack("=QII", 9, 4, 1) + b"name\0")


def test_the_end_is_told_once(recorder: Recorder) -> None:
    with serving(cast(Operations, recorder)) as served:
        served.ours.close()
        until(served.ended.is_set, "the end to be told")


def test_what_a_notification_is_written_to_is_not_closed(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be another file's by the time that the kernel lets the thread go on."""
    with serving(cast(Operations, recorder)) as served:
        ours = served.connection.device
        with monkeypatch.context() as notifying:
            notifying.setattr(ours, "is_telling", lambda: True)
            served.connection.close(30)
            os.fstat(ours.descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(ours.descriptor)
