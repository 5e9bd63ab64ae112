"""Bytes: edges of pread and pwrite, appending, mapping, holes, and several descriptors at once."""

import fcntl
import mmap
import os

import pytest

from tests.posix.compare import compared
from tests.posix.objects import contents
from tests.posix.place import Place
from tests.posix.processes import child

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
def test_appending_ignores_the_position(at: Place) -> None:
    at.file("f", b"0123456789")
    fd = at.open("f", os.O_RDWR | os.O_APPEND)
    os.lseek(fd, 2, os.SEEK_SET)
    os.write(fd, b"A")
    assert at.gives(os.lseek, fd, 0, os.SEEK_CUR) == 11
    os.pwrite(fd, b"B", 0)
    assert at.gives(contents, "f") == b"0123456789AB"
    os.ftruncate(fd, 3)
    os.write(fd, b"C")
    assert at.gives(contents, "f") == b"012C"


@compared
def test_two_appenders_interleave(at: Place) -> None:
    at.file("f")
    one, two = at.open("f", os.O_WRONLY | os.O_APPEND), at.open("f", os.O_WRONLY | os.O_APPEND)
    for number in range(50):
        os.write(one, b"1" * number)
        os.write(two, b"2" * number)
    assert at.gives(contents, "f") == b"".join(b"1" * number + b"2" * number for number in range(50))


@compared
def test_two_processes_append_without_loss(at: Place) -> None:
    at.file("f")

    def append(letter: bytes) -> None:
        fd = os.open("f", os.O_WRONLY | os.O_APPEND)
        for _ in range(300):
            os.write(fd, letter * 99 + b"\n")
        os.close(fd)

    with child(lambda: append(b"a")):
        append(b"b")
    lines = sorted(contents("f").splitlines())
    assert at.notes("lines", len(lines)) == 600
    assert lines == [b"a" * 99] * 300 + [b"b" * 99] * 300


@compared
def test_append_is_switched_on_and_off(at: Place) -> None:
    at.file("f", b"0123456789")
    fd = at.open("f", os.O_WRONLY)
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND)
    os.write(fd, b"A")
    fcntl.fcntl(fd, fcntl.F_SETFL, 0)
    os.pwrite(fd, b"B", 0)
    assert at.gives(contents, "f") == b"B123456789A"
    assert at.gives(fcntl.fcntl, fd, fcntl.F_GETFL) & os.O_APPEND == 0


@compared
def test_opened_for_append_then_switched_off(at: Place) -> None:
    at.file("f", b"0123456789")
    fd = at.open("f", os.O_WRONLY | os.O_APPEND)
    fcntl.fcntl(fd, fcntl.F_SETFL, 0)
    os.pwrite(fd, b"B", 0)
    assert at.gives(contents, "f") == b"B123456789"


@compared
def test_mapping_is_shared_both_ways(at: Place) -> None:
    at.file("f", b"x" * 10_000)
    fd = at.open("f")
    with mmap.mmap(fd, 10_000) as mapped:
        mapped[0:5] = b"mmap!"
        assert at.gives(os.pread, fd, 5, 0) == b"mmap!"
        os.pwrite(fd, b"write", 5000)
        assert at.notes("seen in the mapping", mapped[5000:5005]) == b"write"
        mapped.flush()
    assert contents("f")[:5] == b"mmap!"
    with open(os.path.join(at.backing, "f"), "rb") as behind:
        assert at.notes("behind", behind.read(5)) == b"mmap!"


@compared
def test_two_mappings_in_two_processes(at: Place) -> None:
    at.file("f", b"." * 8192)

    def other() -> None:
        with open("f", "r+b") as file, mmap.mmap(file.fileno(), 8192) as mapped:
            mapped[4096:4101] = b"child"

    with open("f", "r+b") as file, mmap.mmap(file.fileno(), 8192) as mapped:
        mapped[0:6] = b"parent"
        with child(other):
            pass
        assert at.notes("in the mapping", mapped[4096:4101]) == b"child"
    assert at.gives(contents, "f") == b"parent".ljust(4096, b".") + b"child".ljust(4096, b".")


@compared
def test_private_mapping_changes_nothing(at: Place) -> None:
    at.file("f", b"x" * 4096)
    with open("f", "rb") as file, mmap.mmap(file.fileno(), 4096, access=mmap.ACCESS_COPY) as mapped:
        mapped[0:3] = b"abc"
    assert at.gives(contents, "f") == b"x" * 4096


@compared
def test_mapping_and_appending_descriptor(at: Place) -> None:
    at.file("f", b"x" * 4000)
    appender = at.open("f", os.O_WRONLY | os.O_APPEND)
    with open("f", "r+b") as file, mmap.mmap(file.fileno(), 4000) as mapped:
        mapped[0:6] = b"mapped"
        os.write(appender, b"appended")
        mapped[10:15] = b"again"
        mapped.flush()
        assert at.sees("f")["size"] == 4008
    assert at.gives(contents, "f") == b"mappedxxxxagain" + b"x" * 3985 + b"appended"


@compared
def test_mapping_of_a_file_that_grows(at: Place) -> None:
    at.file("f", b"x" * 100)
    fd = at.open("f")
    with mmap.mmap(fd, 100) as mapped:
        os.ftruncate(fd, 8192)
        mapped.resize(8192)
        mapped[8000:8003] = b"end"
    assert at.gives(contents, "f") == b"x" * 100 + bytes(7900) + b"end" + bytes(189)


@compared
def test_mapping_outlives_its_descriptor_and_name(at: Place) -> None:
    at.file("f", b"x" * 4096)
    fd = os.open("f", os.O_RDWR)
    mapped = mmap.mmap(fd, 4096)
    os.link("f", "g")
    os.close(fd)
    os.unlink("f")
    mapped[0:4] = b"late"
    mapped.close()
    assert at.gives(contents, "g") == b"late" + b"x" * 4092


@compared
def test_mapping_needs_the_right_descriptor(at: Place) -> None:
    at.file("f", b"x" * 4096)
    reader, writer = at.open("f", os.O_RDONLY), at.open("f", os.O_WRONLY)
    assert at.tries(mmap.mmap, reader, 4096, mmap.MAP_SHARED, mmap.PROT_WRITE) == "EACCES"
    assert at.tries(mmap.mmap, writer, 4096, mmap.MAP_SHARED, mmap.PROT_READ) == "EACCES"
    assert at.tries(mmap.mmap, reader, 4096, mmap.MAP_SHARED, mmap.PROT_READ) == "ok"
    at.folder("d")
    assert at.tries(mmap.mmap, at.open("d", os.O_RDONLY), 4096, mmap.MAP_SHARED, mmap.PROT_READ) in ("ENODEV", "EACCES")


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
