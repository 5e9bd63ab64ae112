"""FIFOs and UNIX sockets on the mount join two processes as they do anywhere."""

import os
import socket
import stat

import pytest

from tests.posix.compare import compared
from tests.posix.place import NOBODY, Place, acting_as
from tests.posix.processes import child


@compared
def test_fifo_between_two_processes(at: Place) -> None:
    os.mkfifo("pipe")

    def writer() -> None:
        with open("pipe", "wb") as pipe:
            pipe.write(b"through the pipe" * 5000)

    with child(writer), open("pipe", "rb") as pipe:
        received = pipe.read()
    assert at.notes("received", received) == b"through the pipe" * 5000
    at.sees("pipe")


@compared
def test_fifo_without_a_reader(at: Place) -> None:
    os.mkfifo("pipe")
    assert at.opens("pipe", os.O_WRONLY | os.O_NONBLOCK) == "ENXIO"
    assert at.opens("pipe", os.O_RDONLY | os.O_NONBLOCK) == "ok"
    assert at.opens("pipe", os.O_RDWR) == "ok"


@compared
def test_fifo_can_not_be_sought(at: Place) -> None:
    os.mkfifo("pipe")
    fd = at.open("pipe", os.O_RDWR)
    assert at.tries(os.lseek, fd, 0, os.SEEK_SET) == "ESPIPE"
    assert at.tries(os.ftruncate, fd, 0) == "EINVAL"
    os.write(fd, b"abc")
    assert at.gives(os.read, fd, 9) == b"abc"
    assert at.sees(fd)["type"] == "p"


@compared
def test_fifo_of_somebody_else(at: Place) -> None:
    os.mkfifo("pipe", 0o600)
    with acting_as(NOBODY):
        assert at.opens("pipe", os.O_RDWR) == "EACCES"


@compared
def test_stream_socket(at: Place) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock")
        server.listen(1)

        def client() -> None:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect("sock")
                connection.sendall(b"hello")
                assert connection.recv(9) == b"world"

        with child(client):
            connection, _ = server.accept()
            with connection:
                assert at.notes("received", connection.recv(9)) == b"hello"
                connection.sendall(b"world")
    at.sees("sock")


@compared
def test_datagram_sockets(at: Place) -> None:
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as two,
    ):
        one.bind("one")
        two.bind("two")
        two.sendto(b"hello", "one")
        assert at.notes("received", one.recvfrom(9)) == (b"hello", "two")


@compared
def test_socket_states(at: Place) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock")
        with socket.socket(socket.AF_UNIX) as second:
            assert at.tries(second.bind, "sock") == "EADDRINUSE"
            assert at.tries(second.connect, "sock") == "ECONNREFUSED"
            assert at.tries(second.connect, "missing") == "ENOENT"
        server.listen(1)
        os.rename("sock", "moved")
        with socket.socket(socket.AF_UNIX) as client:
            assert at.tries(client.connect, "moved") == "ok"
        os.unlink("moved")
        with socket.socket(socket.AF_UNIX) as client:
            assert at.tries(client.connect, "moved") == "ENOENT"
    assert at.opens("sock", os.O_RDWR) == "ENOENT"


@compared
def test_socket_can_not_be_opened(at: Place) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock")
        assert at.opens("sock", os.O_RDWR) == "ENXIO"
        assert at.opens("sock", os.O_PATH) == "ok"


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
@compared
def test_socket_mode_and_permission(at: Place, umask: int) -> None:
    os.umask(umask)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock")
        server.listen(1)
        with acting_as(NOBODY), socket.socket(socket.AF_UNIX) as client:
            outcome = at.tries(client.connect, "sock")
    assert outcome == ("ok" if umask == 0 else "EACCES")
    assert stat.S_ISSOCK(os.stat("sock").st_mode)
    at.sees("sock")
