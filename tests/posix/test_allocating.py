"""fallocate of every kind that the kernel passes on, and SEEK_DATA and SEEK_HOLE in what it leaves."""

import mmap
import os
import resource
import signal

import pytest

from tests.harness import needs
from tests.posix.compare import compared
from tests.posix.objects import contents
from tests.posix.place import NOBODY, SERVER, Place, acting_as, outcome
from tests.posix.syscalls import FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE, fallocate

BLOCK = 4096
SIZE = 4 * BLOCK
PUNCH = FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE
ZERO = FALLOC_ZERO_RANGE
MODES = {
    "allocate": 0,
    "keep the size": FALLOC_KEEP_SIZE,
    "punch a hole": PUNCH,
    "zero": ZERO,
    "zero and keep the size": ZERO | FALLOC_KEEP_SIZE,
}
RANGES = [(0, BLOCK), (BLOCK, 2 * BLOCK), (100, 9000), (SIZE - 10, 20), (SIZE, BLOCK), (1 << 20, 5), (0, SIZE)]


def _needed(mode: int) -> None:
    if mode & ZERO:
        needs.zero_ranges()


def _written(at: Place) -> int:
    """A file whose blocks are on the disk; what is to be written yet has no number of blocks."""
    at.file("f", b"x" * SIZE)
    fd = at.open("f")
    os.fsync(fd)
    return fd


def _map(fd: int) -> list[tuple[object, object]]:
    """Where the next data and the next hole are, before, in and after the file."""
    offsets = range(-BLOCK, os.fstat(fd).st_size + 2 * BLOCK, BLOCK // 2)
    return [
        (outcome(os.lseek, fd, offset, os.SEEK_DATA), outcome(os.lseek, fd, offset, os.SEEK_HOLE)) for offset in offsets
    ]


@pytest.mark.parametrize(("offset", "length"), RANGES)
@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@compared
def test_every_mode_and_range(at: Place, mode: int, offset: int, length: int) -> None:
    _needed(mode)
    fd = _written(at)
    assert at.tries(fallocate, fd, mode, offset, length) == "ok"
    os.fsync(fd)
    found = at.sees("f")
    assert found["size"] == (SIZE if mode & FALLOC_KEEP_SIZE else max(SIZE, offset + length))
    content = at.gives(contents, "f")
    cleared = min(SIZE, offset + length) - offset if mode & (FALLOC_PUNCH_HOLE | ZERO) else 0
    assert content.count(b"x") == SIZE - max(0, cleared)


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@compared
def test_what_is_read_and_mapped_shows_it(at: Place, mode: int) -> None:
    _needed(mode)
    fd = _written(at)
    with mmap.mmap(fd, SIZE) as mapped:
        mapped[BLOCK + 1] = 65
        fallocate(fd, mode, BLOCK, BLOCK)
        at.notes("mapped", mapped[:])
        at.notes("read", os.pread(fd, SIZE, 0))
        mapped[BLOCK + 2] = 66
    at.gives(contents, "f")


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@compared
def test_times(at: Place, mode: int) -> None:
    _needed(mode)
    fd = _written(at)
    with at.watching("f", "."):
        fallocate(fd, mode, 0, 2 * SIZE)


@pytest.mark.parametrize(("offset", "length"), [(0, 0), (-1, 5), (5, -1), (1, (1 << 63) - 1), ((1 << 44) - 1, 2)])
@compared
def test_impossible_ranges(at: Place, offset: int, length: int) -> None:
    fd = _written(at)
    assert at.tries(fallocate, fd, 0, offset, length) in ("EINVAL", "EFBIG")
    at.sees("f")


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_PATH, os.O_WRONLY, os.O_RDWR | os.O_APPEND, os.O_RDWR | os.O_SYNC])
@compared
def test_by_flag(at: Place, flags: int, mode: int) -> None:
    _needed(mode)
    _written(at)
    outcome = at.tries(fallocate, at.open("f", flags), mode, 0, BLOCK)
    assert outcome == ("EBADF" if flags in (os.O_RDONLY, os.O_PATH) else "ok")
    at.gives(contents, "f")


@compared
def test_of_what_is_no_file(at: Place) -> None:
    at.folder("d")
    os.mkfifo("p")
    at.tries(fallocate, at.open("d", os.O_RDONLY), 0, 0, 1)
    assert at.tries(fallocate, at.open("p"), 0, 0, 1) == "ESPIPE"


@compared
def test_of_a_file_without_a_name(at: Place) -> None:
    fd = _written(at)
    os.unlink("f")
    assert at.tries(fallocate, fd, 0, SIZE, SIZE) == "ok"
    assert at.sees(fd)["size"] == 2 * SIZE


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6777])
@compared
def test_anothers_clears_set_id_bits(at: Place, mode: int) -> None:
    at.file("f", b"x" * SIZE, mode, owner=SERVER)
    os.chmod("f", mode | 0o002)
    with acting_as(NOBODY):
        assert at.tries(fallocate, at.open("f", os.O_WRONLY), 0, 0, 2 * SIZE) == "ok"
    at.sees("f")


@compared
def test_limit_of_the_caller(at: Place) -> None:
    fd = _written(at)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * SIZE, limits[1]))
    try:
        assert at.tries(fallocate, fd, 0, 0, 2 * SIZE + 1) == "EFBIG"
        assert at.tries(fallocate, fd, 0, 0, 2 * SIZE) == "ok"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    at.sees("f")


@pytest.mark.parametrize(("offset", "length"), RANGES)
@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@compared
def test_data_and_holes_are_found(at: Place, mode: int, offset: int, length: int) -> None:
    needs.passthrough()
    fd = _written(at)
    fallocate(fd, mode, offset, length)
    os.fsync(fd)
    at.gives(_map, fd)
    assert at.gives(os.lseek, fd, 0, os.SEEK_CUR) != -1


@compared
def test_holes_of_a_sparse_file(at: Place) -> None:
    needs.passthrough()
    fd = at.open("f", os.O_CREAT | os.O_RDWR)
    for start in (BLOCK, 1 << 20):
        os.pwrite(fd, b"x" * BLOCK, start)
    os.ftruncate(fd, 2 << 20)
    found = [
        outcome(os.lseek, fd, 0, os.SEEK_DATA),
        outcome(os.lseek, fd, BLOCK, os.SEEK_HOLE),
        outcome(os.lseek, fd, 3 * BLOCK, os.SEEK_DATA),
    ]
    assert at.notes("found", found) == [BLOCK, 2 * BLOCK, 1 << 20]
    at.gives(outcome, os.lseek, fd, (1 << 20) + BLOCK, os.SEEK_DATA)


@compared
def test_what_was_mapped_just_now_is_no_hole(at: Place) -> None:
    """A program that copies data alone would lose it."""
    needs.passthrough()
    fd = at.open("f", os.O_CREAT | os.O_RDWR)
    os.ftruncate(fd, SIZE)
    with mmap.mmap(fd, SIZE) as mapped:
        mapped[2 * BLOCK] = 65
        assert at.gives(outcome, os.lseek, at.open("f", os.O_RDONLY), 0, os.SEEK_DATA) == 2 * BLOCK


@compared
def test_seek_of_what_has_no_size(at: Place) -> None:
    os.mkfifo("p")
    at.gives(outcome, os.lseek, at.open("p"), 0, os.SEEK_DATA)
    at.file("f")
    at.gives(_map, at.open("f"))
