"""Plays the kernel's side of a FUSE connection over a socket, which keeps messages apart as /dev/fuse does."""

import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from katafs.fuse import wire
from katafs.fuse.connection import Connection
from katafs.fuse.operations import Operations

INIT_FLAGS = wire.ASYNC_READ | wire.DO_READDIRPLUS | wire.MAX_PAGES | wire.PARALLEL_DIROPS


class FakeKernel:
    """Sends requests and takes replies, each as errno and payload."""

    def __init__(self, ours: socket.socket) -> None:
        self._socket = ours
        ours.settimeout(30)
        self._uniques = itertools.count(2, 2)

    def send(self, opcode: int, body: bytes = b"", node: int = 1, length: int | None = None) -> int:
        """A request by uid 7, gid 8; its unique number."""
        unique = next(self._uniques)
        size = wire.REQUEST_HEADER.size + len(body) if length is None else length
        self._socket.send(wire.REQUEST_HEADER.pack(size, opcode, unique, node, 7, 8, 9, 0) + body)
        return unique

    def send_bytes(self, message: bytes) -> None:
        """What may be no request at all."""
        self._socket.send(message)

    def receive(self) -> tuple[int, int, bytes]:
        """The unique number, errno and payload of what comes next."""
        message = self._socket.recv(1 << 20)
        length, error, unique = wire.REPLY_HEADER.unpack_from(message)
        assert length == len(message)
        return unique, -error, message[wire.REPLY_HEADER.size :]

    def ask(self, opcode: int, body: bytes = b"", node: int = 1) -> tuple[int, bytes]:
        """The errno and payload that answer a request."""
        unique = self.send(opcode, body, node)
        answered, error, payload = self.receive()
        assert answered == unique
        return error, payload

    def init(self, minor: int = 38, flags: int = INIT_FLAGS) -> tuple[int, bytes]:
        """The answer to INIT."""
        return self.ask(wire.INIT, struct.pack("=IIII", 7, minor, 131072, flags) + bytes(48))


class Served:
    """A connection with somebody at its other end."""

    def __init__(self, operations: Operations) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                end.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
        self.said: list[tuple[str, Exception]] = []
        self.explained: Callable[[], object] = lambda: None
        """Called when an error is to be explained."""
        self.ended = threading.Event()
        self.kernel = FakeKernel(ours)
        self.ours = ours
        self.connection = Connection(theirs.detach(), operations, self._explain, self.ended.set)

    def _explain(self, operation: str, error: Exception, _: int | None) -> int:
        self.explained()
        self.said.append((operation, error))
        return error.errno or 5 if isinstance(error, OSError) else 5


@contextmanager
def serving(operations: Operations) -> Iterator[Served]:
    """Serve the operations, and end as an unmounted kernel does."""
    served = Served(operations)
    served.connection.start()
    try:
        yield served
    finally:
        served.ours.close()
        assert served.connection.close(30)
        assert served.ended.is_set()
