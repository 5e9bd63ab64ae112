"""What PyPy is given, beside what CPython has of its own."""

import errno
import logging
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from katafs import pypy
from tests.harness import needs
from tests.harness.refusals import refused


@pytest.fixture
def file(disk: Path) -> Iterator[int]:
    """A file of ten bytes that is open."""
    descriptor = os.open(disk / "f", os.O_RDWR | os.O_CREAT)
    os.write(descriptor, b"0123456789")
    os.lseek(descriptor, 0, os.SEEK_SET)
    yield descriptor
    os.close(descriptor)


def content(descriptor: int) -> bytes:
    return os.pread(descriptor, 100, 0)


@pytest.mark.parametrize("module", pypy.NUMBERS, ids=lambda module: str(module.__name__))
def test_the_numbers_are_the_systems_own(module: object) -> None:
    needs.cpython("numbers to compare with")
    for name, number in pypy.NUMBERS[module].items():  # type: ignore[index]  # they are its keys
        assert number == getattr(module, name), name


def test_what_is_lacking_is_added_and_what_is_otherwise_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("incomplete")
    module.there, module.otherwise = "own", "own"  # type: ignore[attr-defined]
    monkeypatch.setattr(pypy, "LACKING", {module: {"there": "added", "missing": "added"}})
    monkeypatch.setattr(pypy, "OTHERWISE", {module: {"otherwise": "replaced"}})

    pypy.complete()

    assert (module.there, module.missing, module.otherwise) == ("own", "added", "replaced")


def test_reads_fill_one_buffer_after_the_other(file: int) -> None:
    first, inner, last = bytearray(3), memoryview(bytearray(10))[2:5], bytearray(100)

    assert pypy.readv(file, [first, inner, last]) == 10
    assert (bytes(first), bytes(inner), bytes(last[:5])) == (b"012", b"345", b"6789\0")


def test_a_read_of_one_buffer_says_that_there_is_nothing_yet() -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    buffer = memoryview(bytearray(10))
    with pytest.raises(BlockingIOError) as nothing:
        pypy.readv(reader, (buffer,))
    os.write(writer, b"abc")
    count = pypy.readv(reader, (buffer,))
    os.close(writer)
    end = pypy.readv(reader, (buffer,))
    os.close(reader)

    assert nothing.value.args == (errno.EAGAIN, os.strerror(errno.EAGAIN))
    assert (bytes(buffer[:count]), end) == (b"abc", 0)


def test_a_read_at_a_place_moves_nothing(file: int) -> None:
    buffer = bytearray(3)

    assert pypy.preadv(file, [buffer], 4) == 3
    assert bytes(buffer) == b"456"
    assert os.lseek(file, 0, os.SEEK_CUR) == 0


def test_writes_take_whatever_has_bytes(file: int) -> None:
    assert pypy.writev(file, [b"ab", memoryview(b"xcdx")[1:3], bytearray(b"e")]) == 5
    assert content(file) == b"abcde56789"


@pytest.mark.parametrize(("flags", "expected"), [(0, b"01ab456789"), (os.RWF_APPEND, b"0123456789ab")])
def test_writes_at_a_place_or_at_the_end(file: int, flags: int, expected: bytes) -> None:
    assert pypy.pwritev(file, [memoryview(b"ab")], 2, flags) == 2
    assert content(file) == expected


def test_what_is_closed_is_closed_once(file: int) -> None:
    other = os.dup(file)
    pypy.close(other)

    with refused(errno.EBADF):
        pypy.close(other)


@pytest.mark.parametrize("device", [0x103, 2**31, 2**32 - 1])
def test_a_node_is_of_every_device(disk: Path, device: int) -> None:
    needs.root()
    pypy.mknod(disk / "by path", stat.S_IFCHR | 0o600, device)
    directory = os.open(disk, os.O_RDONLY)
    pypy.mknod(b"by name", stat.S_IFCHR | 0o600, device, dir_fd=directory)
    os.close(directory)

    assert os.lstat(disk / "by path").st_rdev == os.lstat(disk / "by name").st_rdev == device


def test_an_error_is_the_calls_own(file: int) -> None:
    with refused(errno.EBADF):
        pypy.readv(-1, [bytearray(1)])
    with refused(errno.EINVAL):
        pypy.preadv(file, [bytearray(1)], -1)


def test_ranges_are_copied_without_moving_either_file(file: int, disk: Path) -> None:
    with open(disk / "g", "w+b") as copy:
        assert pypy.copy_file_range(file, copy.fileno(), 4, 3, 1) == 4
        assert copy.read() == b"\x003456"


def test_an_event_counts_and_can_be_waited_for() -> None:
    event = pypy.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    try:
        with refused(errno.EAGAIN):
            os.read(event, 8)
        pypy.eventfd_write(event, 3)
        pypy.eventfd_write(event, 4)

        assert int.from_bytes(os.read(event, 8), "little") == 7
        assert not os.get_inheritable(event)
    finally:
        os.close(event)


def spawned(argv: list[str], file: int, **variables: str) -> int:
    """A program with nothing to read, and the file for its errors."""
    streams = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, file, 2)]
    program = pypy.posix_spawnp(argv[0], argv, {**os.environ, **variables}, file_actions=streams)
    return os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])


def test_a_program_has_its_words_variables_and_streams(file: int) -> None:
    status = spawned(["sh", "-c", 'read -r line; printf %s "$WORD-$1" >&2; exit 7', "sh", "ä\udcff"], file, WORD="w")

    assert status == 7
    assert content(file) == b"w-\xc3\xa4\xff56789"


def test_a_program_that_is_not_there_is_said_at_once(file: int) -> None:
    with pytest.raises(FileNotFoundError, match="'katafs-has-no-such-program'"):
        spawned(["katafs-has-no-such-program"], file)


def test_nor_can_a_stream_be_what_cannot_be_opened() -> None:
    with refused(errno.ENOENT):
        pypy.posix_spawnp("true", ["true"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, "/no/such", os.O_RDONLY, 0)])


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN])
def test_what_the_process_was_begun_to_ignore_is_known(
    monkeypatch: pytest.MonkeyPatch, handler: signal.Handlers
) -> None:
    # As if Python didn't know.
    monkeypatch.setattr(pypy, "_getsignal", lambda _: signal.SIG_DFL)
    before = signal.signal(signal.SIGUSR2, handler)
    found = pypy.getsignal(signal.SIGUSR2)
    signal.signal(signal.SIGUSR2, before)

    assert found == handler


def test_libc_keeps_its_errno(disk: Path) -> None:
    assert pypy.libc.syscall(437, -1, b"f", bytes(24), 24) == -1
    assert pypy.last_errno() == errno.EBADF
    assert pypy.libc.setfsuid(0xFFFFFFFF) == os.geteuid()


def test_a_log_record_is_the_same_and_takes_more_values() -> None:
    own = logging.makeLogRecord({})
    made = logging.LogRecord.__new__(logging.LogRecord)

    pypy.begin_record(made, None, None, "", 0, "", (), None)
    vars(made)["operation"] = "read"

    assert list(vars(made)) == [*vars(own), "operation"]
    assert (made.levelname, made.getMessage()) == (own.levelname, own.getMessage())
