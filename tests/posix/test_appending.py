"""O_APPEND: one, two and switched descriptors, in one process and in two."""

import fcntl
import os

from tests.posix.compare import compared
from tests.posix.objects import contents
from tests.posix.place import Place
from tests.posix.processes import child


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
