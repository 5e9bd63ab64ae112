"""What requests of the kernel ask the file system for, and what becomes of its answers, by a kernel that is played."""

import errno
import os
import struct
from collections.abc import Iterator
from functools import partial
from unittest.mock import Mock

import pytest

from katafs.fuse import wire
from katafs.fuse.operations import NOW_NS, Absent, Later, Opened, Wanted, Writing
from tests.harness.waiting import until
from tests.unit.fuse_kernel import Served
from tests.unit.fuse_recorder import Recorder
from tests.unit.test_fuse_wire import Told

ME = (7, 8)
SETATTR_NONE = Wanted(None, None, None, None, None, None)


def setattr_body(valid: int) -> bytes:
    return struct.pack("=I4xQQQqqqIIII4xII4x", valid, 3, 100, 0, 1, -2, 0, 5, 6, 0, 0o644, 10, 11)


REQUESTS: dict[str, tuple[int, bytes, tuple[object, ...]]] = {
    "lookup": (wire.LOOKUP, b"name\0", ("lookup", 1, b"name")),
    "getattr": (wire.GETATTR, bytes(16), ("getattr", 1)),
    "getattr of an open file": (wire.GETATTR, struct.pack("=I4xQ", 1, 5), ("getattr_for_pages", 1)),
    "readlink": (wire.READLINK, b"", ("readlink", 1)),
    "unlink": (wire.UNLINK, b"\xff\n\0", ("unlink", 1, b"\xff\n")),
    "rmdir": (wire.RMDIR, b"d\0", ("rmdir", 1, b"d")),
    "rename": (wire.RENAME, struct.pack("=Q", 9) + b"a\0b\0", ("rename", (1, b"a"), (9, b"b"), 0)),
    "rename2": (wire.RENAME2, struct.pack("=QI4x", 9, 1) + b"a\0b\0", ("rename", (1, b"a"), (9, b"b"), 1)),
    "link": (wire.LINK, struct.pack("=Q", 9) + b"b\0", ("link", 9, 1, b"b")),
    "open": (wire.OPEN, struct.pack("=II", os.O_RDWR, 0), ("open", 1, os.O_RDWR, ME)),
    "read": (wire.READ, struct.pack("=QQIIQI4x", 5, 6, 7, 0, 0, 0), ("read", 5, 6, 7)),
    "fsync": (wire.FSYNC, struct.pack("=QI4x", 5, 1), ("fsync", 5, True)),
    "allocate": (wire.FALLOCATE, struct.pack("=QQQI4x", 5, 1 << 40, 7, 3), ("allocate", 5, 1 << 40, 7, 3)),
    "release": (wire.RELEASE, struct.pack("=QIIQ", 5, 0, 0, 0), ("release", 5)),
    "setxattr": (
        wire.SETXATTR,
        struct.pack("=II", 3, 2) + b"user.k\0a\0b",
        ("setxattr", 1, b"user.k", b"a\0b", 2, ME),
    ),
    "getxattr": (wire.GETXATTR, struct.pack("=I4x", 9) + b"user.k\0", ("getxattr", 1, b"user.k", ME)),
    "removexattr": (wire.REMOVEXATTR, b"user.k\0", ("removexattr", 1, b"user.k", ME)),
    "fsyncdir": (wire.FSYNCDIR, struct.pack("=QI4x", 5, 0), ("fsyncdir", 5)),
    "releasedir": (wire.RELEASEDIR, struct.pack("=QIIQ", 5, 0, 0, 0), ("releasedir", 5)),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_is_taken_apart(served: Served, recorder: Recorder, kind: str) -> None:
    opcode, body, call = REQUESTS[kind]

    error, _ = served.kernel.ask(opcode, body)

    assert (error, recorder.calls) == (0, [call])


@pytest.mark.parametrize(
    ("open_flags", "flags", "how"),
    [
        (os.O_WRONLY, 0, Writing()),
        (os.O_WRONLY | os.O_APPEND, 0, Writing(appends=True)),
        (os.O_WRONLY | os.O_DSYNC, 0, Writing(synced=os.O_DSYNC)),
        (os.O_WRONLY | os.O_SYNC, 0, Writing(synced=os.O_SYNC)),
        (0, wire.WRITE_CACHE, Writing(whole=True)),
        (os.O_APPEND, wire.WRITE_CACHE, Writing(whole=True)),
        (os.O_WRONLY | os.O_APPEND, wire.WRITE_KILL_SUIDGID, Writing(appends=True, clears_set_ids=True)),
    ],
)
def test_a_write_has_its_content(served: Served, recorder: Recorder, open_flags: int, flags: int, how: Writing) -> None:
    error, payload = served.kernel.ask(wire.WRITE, struct.pack("=QQIIQI4x", 5, 6, 4, flags, 0, open_flags) + b"\0abc")

    assert (error, payload) == (0, struct.pack("=II", 4, 0))
    assert recorder.calls == [("write", 5, 6, b"\0abc", how)]


@pytest.mark.parametrize(
    ("valid", "wanted", "handle"),
    [
        (0, SETATTR_NONE, None),
        (1, SETATTR_NONE._replace(mode=0o644), None),
        (2 | 4, SETATTR_NONE._replace(uid=10, gid=11), None),
        (8 | 64, SETATTR_NONE._replace(size=100), 3),
        (16 | 32, SETATTR_NONE._replace(atime_ns=1_000_000_005, mtime_ns=-2_000_000_000 + 6), None),
        (16 | 128 | 32 | 256, SETATTR_NONE._replace(atime_ns=NOW_NS, mtime_ns=NOW_NS), None),
    ],
)
def test_setattr_changes_only_what_is_valid(
    served: Served, recorder: Recorder, valid: int, wanted: Wanted, handle: int | None
) -> None:
    served.kernel.ask(wire.SETATTR, setattr_body(valid))

    assert recorder.calls == [("setattr", 1, wanted, handle, (7, 8))]


@pytest.mark.parametrize(
    ("flags", "flushed"),
    [
        (os.O_RDONLY, False),
        (os.O_RDONLY | os.O_TRUNC, False),
        (os.O_WRONLY, True),
        (os.O_RDWR | os.O_APPEND, True),
        (os.O_ACCMODE, True),
    ],
)
@pytest.mark.parametrize("later", [False, True], ids=["at once", "in a pool"])
def test_a_close_of_what_was_opened_for_reading_alone_waits_for_nobody(
    served: Served, recorder: Recorder, flags: int, flushed: bool, later: bool
) -> None:
    answers = {"open": lambda: Opened(5, keep_cache=False), "create": lambda: (Told(), Opened(5, keep_cache=False))}
    for name, answer in answers.items():
        recorder.answers[name] = partial(Later, recorder.pool, answer) if later else answer
    _, opened = served.kernel.ask(wire.OPEN, struct.pack("=II", flags, 0))
    _, created = served.kernel.ask(wire.CREATE, struct.pack("=IIII", flags, 0, 0, 0) + b"name\0")

    expected = struct.pack("=QII", 5, 0 if flushed else 1 << 5, 0)
    assert (opened, created[-len(expected) :]) == (expected, expected)


def test_where_the_kernel_reads_nothing_itself_it_says_where_holes_are(served: Served) -> None:
    """It then asks no more: nothing is known here that it doesn't know."""
    assert served.kernel.ask(wire.LSEEK, struct.pack("=QqI4x", 5, 0, os.SEEK_HOLE)) == (errno.ENOSYS, b"")


def test_a_forgotten_inode_has_no_reply(served: Served, recorder: Recorder) -> None:
    served.kernel.send(wire.FORGET, struct.pack("=Q", 3), node=9)
    served.kernel.send(wire.BATCH_FORGET, struct.pack("=II4Q", 2, 0, 10, 1, 11, 2))
    served.kernel.ask(wire.READLINK)

    assert recorder.calls[:2] == [("forget", [(9, 3)]), ("forget", [(10, 1), (11, 2)])]


def test_inodes_that_there_is_no_memory_to_forget_are_forgotten_when_there_is(
    served: Served, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel says so once, and of many at a time when memory is short: they would be remembered for ever."""
    one, failures = wire.FORGET_ONE, [MemoryError()] * 2

    def unpacked(content: memoryview) -> Iterator[tuple[int, ...]]:
        if failures:
            raise failures.pop()
        return one.iter_unpack(content)

    monkeypatch.setattr(wire, "FORGET_ONE", Mock(size=one.size, iter_unpack=unpacked))
    served.kernel.send(wire.BATCH_FORGET, struct.pack("=II4Q", 2, 0, 10, 1, 11, 2))
    served.kernel.ask(wire.READLINK)

    until(lambda: ("forget", [(10, 1), (11, 2)]) in recorder.calls, "both to be forgotten", seconds=10)


def test_no_name_is_enoent_and_nobody_is_told(served: Served, recorder: Recorder) -> None:
    recorder.answers["lookup"] = lambda: Absent(0)

    assert served.kernel.ask(wire.LOOKUP, b"name\0") == (errno.ENOENT, b"")
    assert served.said == []


def test_no_name_that_may_be_kept_is_an_entry_of_nothing(served: Served, recorder: Recorder) -> None:
    recorder.answers["lookup"] = lambda: Absent(1.5)

    assert served.kernel.ask(wire.LOOKUP, b"name\0") == (
        0,
        struct.pack("=4Q2I", 0, 0, 1, 0, 500_000_000, 0) + bytes(88),
    )


@pytest.mark.parametrize(("room", "reply"), [(0, (0, struct.pack("=II", 5, 0))), (5, (0, b"value")), (4, (34, b""))])
def test_an_extended_attribute_fits_its_room(served: Served, room: int, reply: tuple[int, bytes]) -> None:
    assert served.kernel.ask(wire.GETXATTR, struct.pack("=I4x", room) + b"user.k\0") == reply


def test_a_list_of_extended_attributes(served: Served) -> None:
    assert served.kernel.ask(wire.LISTXATTR, struct.pack("=I4x", 100)) == (0, b"user.a\0user.b\0")
