"""A connection whose kernel says strange things that have no reply: none comes, and the next request is served."""

import errno
import struct

import pytest

from katafs.fuse import wire
from tests.harness.waiting import until
from tests.unit.fuse_kernel import Served
from tests.unit.fuse_recorder import Recorder

_ONE = struct.pack("=QQ", 10, 1)
STRANGE: dict[str, tuple[int, bytes, list[tuple[object, ...]]]] = {
    "an interrupt of what was never asked": (wire.INTERRUPT, struct.pack("=Q", 4711), []),
    "an interrupt of nothing": (wire.INTERRUPT, b"", []),
    "a forgetting without a count": (wire.FORGET, b"", []),
    "none forgotten": (wire.BATCH_FORGET, struct.pack("=I4x", 0), [("forget", [])]),
    "fewer forgotten than it says": (wire.BATCH_FORGET, struct.pack("=I4x", 9) + _ONE, [("forget", [(10, 1)])]),
    "more forgotten than it says": (wire.BATCH_FORGET, struct.pack("=I4x", 1) + 2 * _ONE, [("forget", [(10, 1)])]),
    "half of one forgotten": (wire.BATCH_FORGET, struct.pack("=I4x", 1) + _ONE[:7], []),
}


@pytest.mark.parametrize("what", STRANGE)
def test_it_has_no_reply_and_the_next_request_is_served(served: Served, recorder: Recorder, what: str) -> None:
    opcode, body, calls = STRANGE[what]
    served.kernel.send(opcode, body)

    assert served.kernel.ask(wire.READLINK) == (0, b"target")
    assert recorder.calls == [*calls, ("readlink", 1)]


def test_an_interrupt_of_what_is_done_makes_nothing_else_fail(served: Served) -> None:
    """More of them than are remembered, too."""
    done = served.kernel.send(wire.READLINK)
    assert served.kernel.receive() == (done, 0, b"target")
    for _ in range(100):
        served.kernel.send(wire.INTERRUPT, struct.pack("=Q", done))

    assert served.kernel.ask(wire.READLINK) == (0, b"target")


@pytest.mark.parametrize("opcode", range(64))
def test_a_request_without_a_body_is_answered(served: Served, opcode: int) -> None:
    """Whatever it is, unless it has no reply."""
    if opcode in (wire.FORGET, wire.BATCH_FORGET, wire.INTERRUPT):
        served.kernel.send(opcode)
    else:
        error, _ = served.kernel.ask(opcode)
        assert error in (0, errno.EIO, errno.ENOSYS, errno.ENOTTY)

    if opcode == wire.INIT:  # after which the kernel asks nothing more
        until(served.ended.is_set, "the end to be told")
    else:
        assert served.kernel.ask(wire.READLINK) == (0, b"target")
