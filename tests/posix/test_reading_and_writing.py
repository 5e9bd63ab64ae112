"""Bytes: edges of pread and pwrite, holes, copies, and several descriptors at once."""

import mmap
import os

import pytest

from tests.posix.compare import compared
from tests.posix.objects import contents
from tests.posix.place import Place
from tests.posix.processes import child

LARGEST_BYTES = (1 << 44) - 4096
"""The largest file on ext4."""
SIZES = [1, 4095, 4096, 4097, 131_071, 131_072, 131_073, 1_048_576, 1_048_577, 3_000_000]


def _pattern(size: int, seed: int = 7) -> bytes:
    return bytes((number * seed + number // 251) % 256 for number in range(min(size, 65_537))) * (size // 65_537 + 1)


@pytest.mark.parametrize("size", SIZES)
@compared
def test_written_at_once_and_read_in_pieces(at: Place, size: int) -> None:
    data = _pattern(size)[:size]
    fd = at.open("f", os.O_CREAT | os.O_RDWR)
    assert at.gives(os.write, fd, data) == size
    assert b"".join(os.pread(fd, 10_000, offset) for offset in range(0, size, 10_000)) == data
    assert at.sees("f")["size"] == size


@pytest.mark.parametrize("step", [1, 13, 4096, 5000, 131_072])
@compared
def test_written_in_pieces_and_read_at_once(at: Place, step: int) -> None:
    data = _pattern(step * 40)[: step * 40]
    fd = at.open("f", os.O_CREAT | os.O_RDWR)
    for offset in range(0, len(data), step):
        os.write(fd, data[offset : offset + step])
    assert contents("f") == data
    at.sees("f", fd)


@pytest.mark.parametrize("offset", [0, 1, 9, 10, 11, 4095, 4096, 100_000, 1 << 33])
@pytest.mark.parametrize("length", [0, 1, 10, 4096])
@compared
def test_pread_around_the_end(at: Place, offset: int, length: int) -> None:
    at.file("f", b"0123456789")
    assert at.gives(os.pread, at.open("f"), length, offset) == b"0123456789"[offset : offset + length]


@pytest.mark.parametrize("offset", [0, 9, 10, 4090, 4096, 131_070, 1 << 33])
@pytest.mark.parametrize("data", [b"", b"x", b"xy" * 4096], ids=len)
@compared
def test_pwrite_around_the_end(at: Place, offset: int, data: bytes) -> None:
    at.file("f", b"0123456789")
    fd = at.open("f")
    assert at.gives(os.pwrite, fd, data, offset) == len(data)
    found = at.sees("f")
    assert found["size"] == (max(10, offset + len(data)) if data else 10)
    at.notes("end", os.pread(fd, 10_000, max(0, offset - 100)))


@pytest.mark.parametrize("flag", [0, os.O_APPEND, os.O_DIRECT], ids=["plain", "append", "direct"])
@compared
def test_write_of_which_half_has_room(at: Place, flag: int) -> None:
    """As on a disk that is nearly full."""
    fd = at.open("f", os.O_CREAT | os.O_WRONLY | flag)
    os.ftruncate(fd, LARGEST_BYTES - 4096)
    with mmap.mmap(-1, 8192) as aligned:
        # PyPy's os.pwrite writes a copy, which may not be aligned.
        assert at.gives(os.pwritev, fd, [aligned], LARGEST_BYTES - 4096) == 4096
    assert at.sees("f")["size"] == LARGEST_BYTES


@pytest.mark.parametrize("offset", [-1, -(1 << 40)])
@compared
def test_negative_offsets(at: Place, offset: int) -> None:
    at.file("f", b"0123456789")
    fd = at.open("f")
    assert at.tries(os.pread, fd, 1, offset) == "EINVAL"
    assert at.tries(os.pwrite, fd, b"x", offset) == "EINVAL"
    assert at.tries(os.lseek, fd, offset, os.SEEK_SET) == "EINVAL"


@compared
def test_vectors(at: Place) -> None:
    fd = at.open("f", os.O_CREAT | os.O_RDWR)
    assert at.gives(os.writev, fd, [b"one", b"", b"three" * 2000]) == 10_003
    one, two = bytearray(5), bytearray(6)
    assert at.gives(os.preadv, fd, [one, two], 1) == 11
    assert at.notes("read", bytes(one + two)) == b"nethreethre"


@compared
def test_holes_read_as_zeros(at: Place) -> None:
    fd = at.open("f", os.O_CREAT | os.O_RDWR)
    os.pwrite(fd, b"end", 1_000_000)
    os.pwrite(fd, b"start", 0)
    os.fsync(fd)
    found = at.sees("f")
    assert isinstance(found["blocks"], int)
    assert found["blocks"] * 512 < 100_000
    assert contents("f") == b"start" + bytes(999_995) + b"end"


@pytest.mark.parametrize(("offset", "length"), [(0, 4096), (5, 20), (0, 5), (3, 8189)])
@compared
def test_posix_fallocate_makes_room(at: Place, offset: int, length: int) -> None:
    at.file("f", b"0123456789")
    assert at.tries(os.posix_fallocate, at.open("f"), offset, length) == "ok"
    assert at.sees("f")["size"] == max(10, offset + length)
    at.gives(contents, "f")


@compared
def test_copies_inside_the_kernel(at: Place) -> None:
    data = _pattern(300_000)[:300_000]
    at.file("f", data)
    source, target = at.open("f"), at.open("g", os.O_CREAT | os.O_RDWR)
    copied = 0
    while copied < len(data):
        copied += os.sendfile(target, source, copied, len(data) - copied)
    assert contents("g") == data
    copied = 0
    while more := os.copy_file_range(source, target, len(data), copied, copied):
        copied += more
    assert at.notes("copied", copied) == len(data)
    assert contents("g") == data


@compared
def test_times_of_reading_and_writing(at: Place) -> None:
    at.file("f", b"0123456789")
    at.folder("d")
    fd = at.open("d/../f")
    with at.watching("f", "."):
        os.write(fd, b"x")
    with at.watching("f", "."):
        os.pwrite(fd, b"", 0)
    with at.watching("f", "."):
        os.pwrite(fd, b"x", 5000)
    with at.watching("f"):
        os.fsync(fd)


@compared
def test_seeking(at: Place) -> None:
    at.file("f", b"0123456789")
    fd = at.open("f")
    assert at.gives(os.lseek, fd, 0, os.SEEK_END) == 10
    assert at.gives(os.lseek, fd, 5, os.SEEK_END) == 15
    assert at.gives(os.lseek, fd, -3, os.SEEK_CUR) == 12
    assert at.tries(os.lseek, fd, -13, os.SEEK_CUR) == "EINVAL"
    assert at.tries(os.lseek, fd, 0, 99) == "EINVAL"
    os.ftruncate(fd, 4)
    assert at.gives(os.lseek, fd, 0, os.SEEK_END) == 4


@compared
def test_end_of_a_file_that_others_grow(at: Place) -> None:
    at.file("f", b"0123456789")
    fd, other = at.open("f"), at.open("f")
    os.pwrite(other, b"x" * 100, 10)
    assert at.gives(os.lseek, fd, 0, os.SEEK_END) == 110
    os.ftruncate(other, 5)
    assert at.gives(os.lseek, fd, 0, os.SEEK_END) == 5


@compared
def test_syncing_every_kind_of_descriptor(at: Place) -> None:
    at.file("f", b"x")
    at.folder("d")
    for name, flags in (("f", os.O_RDONLY), ("f", os.O_WRONLY), ("d", os.O_RDONLY)):
        fd = at.open(name, flags)
        assert at.tries(os.fsync, fd) == "ok"
        assert at.tries(os.fdatasync, fd) == "ok"
    assert at.tries(os.fsync, at.open("f", os.O_PATH)) == "EBADF"


@compared
def test_duplicated_descriptors_share_a_position(at: Place) -> None:
    at.file("f", b"0123456789")
    fd = at.open("f")
    second = os.dup(fd)
    os.read(fd, 3)
    assert at.gives(os.read, second, 2) == b"34"
    os.close(fd)
    at.descriptors.remove(fd)
    os.write(second, b"X")
    os.close(second)
    assert at.gives(contents, "f") == b"01234X6789"


@compared
def test_written_by_a_child_and_read_by_its_parent(at: Place) -> None:
    fd = at.open("f", os.O_CREAT | os.O_RDWR)
    with child(lambda: os.write(fd, b"from the child")):
        pass
    assert at.gives(os.pread, fd, 99, 0) == b"from the child"
    assert at.gives(os.lseek, fd, 0, os.SEEK_CUR) == 14
