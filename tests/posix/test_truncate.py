"""truncate and ftruncate: sizes, holes, limits, who may, and what it changes."""

import errno
import os
import resource
import signal

import pytest

from tests.posix.compare import compared
from tests.posix.objects import EXISTING, contents, listing, make
from tests.posix.place import NOBODY, SERVER, Place, acting_as
from tests.posix.syscalls import truncate

SIZES = [0, 1, 4095, 4096, 4097, 10_000, 131_072, 131_073, 1 << 31, (1 << 32) + 1, 1 << 40]


def _by(at: Place, way: str, size: int) -> str:
    if way == "truncate":
        return at.tries(truncate, "f", size)
    return at.tries(os.ftruncate, at.open("f"), size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("way", ["truncate", "ftruncate"])
@compared
def test_to_every_size(at: Place, way: str, size: int) -> None:
    at.file("f", b"abc" * 3000)
    assert _by(at, way, size) == "ok"
    assert at.sees("f")["size"] == size
    at.notes("content", contents("f") if size < 1_000_000 else os.pread(at.open("f"), 99, size - 50))


@pytest.mark.parametrize("size", [-1, 1 << 44, 1 << 45, (1 << 63) - 1])
@pytest.mark.parametrize("way", ["truncate", "ftruncate"])
@compared
def test_to_impossible_sizes(at: Place, way: str, size: int) -> None:
    at.file("f", b"abc")
    outcome = _by(at, way, size)
    assert outcome == ("EINVAL" if size < 0 else "EFBIG")
    listing(at)


@pytest.mark.parametrize("kind", EXISTING)
@compared
def test_every_kind(at: Place, kind: str) -> None:
    make(at, kind, "x")
    at.tries(truncate, "x", 3)
    listing(at)


@compared
def test_down_and_up_again_reads_zeros(at: Place) -> None:
    at.file("f", b"x" * 10_000)
    truncate("f", 5_000)
    truncate("f", 9_000)
    assert at.gives(contents, "f") == b"x" * 5_000 + bytes(4_000)


@compared
def test_through_a_mapped_page_and_back(at: Place) -> None:
    at.file("f", b"x" * 10_000)
    contents("f")
    fd = at.open("f")
    os.ftruncate(fd, 100)
    os.pwrite(fd, b"end", 8_000)
    assert at.gives(contents, "f") == b"x" * 100 + bytes(7_900) + b"end"


@pytest.mark.parametrize("size", [0, 3, 5])
@pytest.mark.parametrize("way", ["truncate", "ftruncate"])
@compared
def test_times(at: Place, way: str, size: int) -> None:
    at.file("f", b"abc")
    at.open("f")
    with at.watching("f", "."):
        _by(at, way, size)


@pytest.mark.parametrize("mode", [0o644, 0o444, 0o222, 0])
@compared
def test_truncate_needs_write_permission(at: Place, mode: int) -> None:
    at.file("f", b"abc", mode, owner=NOBODY)
    with acting_as(NOBODY):
        outcome = at.tries(truncate, "f", 1)
    with acting_as(SERVER):
        at.tries(truncate, "f", 0)
    assert outcome == ("ok" if mode & 0o200 else "EACCES")
    at.sees("f")


@compared
def test_ftruncate_needs_only_its_descriptor(at: Place) -> None:
    at.file("f", b"abc", 0o600, owner=NOBODY)
    with acting_as(NOBODY):
        fd = at.open("f", os.O_WRONLY)
    os.chown("f", 0, 0)
    os.chmod("f", 0)
    with acting_as(NOBODY):
        assert at.tries(os.ftruncate, fd, 1) == "ok"
        assert at.tries(truncate, "f", 0) == "EACCES"
    at.sees("f")


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_PATH, os.O_WRONLY, os.O_RDWR | os.O_APPEND])
@compared
def test_ftruncate_by_flag(at: Place, flags: int) -> None:
    at.file("f", b"abc")
    outcome = at.tries(os.ftruncate, at.open("f", flags), 1)
    assert outcome == {os.O_RDONLY: "EINVAL", os.O_PATH: "EBADF"}.get(flags, "ok")
    at.sees("f")


@compared
def test_ftruncate_of_a_folder(at: Place) -> None:
    at.folder("d")
    assert at.tries(os.ftruncate, at.open("d", os.O_RDONLY), 1) == "EINVAL"
    assert at.tries(truncate, "d", 0) == "EISDIR"


@compared
def test_position_of_others_stays(at: Place) -> None:
    at.file("f", b"0123456789")
    fd = at.open("f")
    os.read(fd, 8)
    truncate("f", 2)
    assert at.gives(os.lseek, fd, 0, os.SEEK_CUR) == 8
    assert at.gives(os.read, fd, 9) == b""
    os.write(fd, b"X")
    assert at.gives(contents, "f") == b"01" + bytes(6) + b"X"


@compared
def test_limit_of_the_caller(at: Place) -> None:
    at.file("f", b"x" * 1000)
    fd = at.open("f")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        assert at.tries(truncate, "f", 4097) == "EFBIG"
        assert at.tries(os.ftruncate, fd, 4096) == "ok"
        assert at.gives(os.pwrite, fd, b"12345678", 4090) == 6
        assert at.tries(os.pwrite, fd, b"1", 4096) == "EFBIG"
        assert at.tries(truncate, "f", 10) == "ok"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    at.sees("f")


@pytest.mark.parametrize("offset", [(1 << 44) - 4096, (1 << 44) - 4097, 1 << 44, (1 << 63) - 2])
@compared
def test_write_at_the_largest_offset(at: Place, offset: int) -> None:
    at.file("f")
    fd = at.open("f")
    outcome = at.tries(os.pwrite, fd, b"x", offset)
    assert outcome in ("ok", errno.errorcode[errno.EFBIG])
    at.sees("f")
