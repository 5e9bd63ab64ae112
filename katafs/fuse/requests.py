"""One request as it was read, and what a reply to it may carry."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple, TypeAlias

from katafs.fuse import wire
from katafs.fuse.operations import Answer


class Request:
    """One request as it was read, and who asks. Its body is good until the reply is written."""

    __slots__ = ("body", "gid", "node", "opcode", "pid", "uid", "unique")

    def __init__(self, opcode: int, unique: int, node: int, uid: int, gid: int, pid: int, body: memoryview) -> None:
        self.opcode = opcode
        self.unique = unique
        self.node = node
        self.uid = uid
        self.gid = gid
        self.pid = pid
        self.body = body

    def kept(self) -> "Request":
        """The same, good for as long as anybody likes."""
        body = memoryview(bytes(self.body))
        return Request(self.opcode, self.unique, self.node, self.uid, self.gid, self.pid, body)

    def name(self, offset: int = 0) -> bytes:
        """The one name that follows a structure of this size."""
        name, end, _ = bytes(self.body[offset:]).partition(b"\0")
        if not end:
            raise Malformed(f"request {self.opcode} has no name")
        return name

    def names(self, count: int, offset: int = 0) -> list[bytes]:
        """The names that follow a structure of this size. Raises Malformed where there aren't so many."""
        *names, _ = bytes(self.body[offset:]).split(b"\0", count)
        if len(names) != count:
            raise Malformed(f"request {self.opcode} has {len(names)} names, not {count}")
        return names

    def move(self) -> tuple[int, bytes, bytes, int]:
        """Of RENAME and RENAME2: the new parent, the old name and the new one, the flags. Raises as `names`."""
        if self.opcode == wire.RENAME2:
            (parent, flags), size = wire.RENAME2_IN.unpack_from(self.body), wire.RENAME2_IN.size
        else:
            (parent,), flags, size = wire.RENAME_IN.unpack_from(self.body), 0, wire.RENAME_IN.size
        old, new = self.names(2, size)
        return parent, old, new, flags

    def forgotten(self) -> list[tuple[int, int]]:
        """Of FORGET and BATCH_FORGET: the inodes, with how many lookups of each are taken back."""
        if self.opcode == wire.FORGET:
            return [(self.node, wire.FORGET_IN.unpack_from(self.body)[0])]
        (count,) = wire.BATCH_FORGET_IN.unpack_from(self.body)
        first = wire.BATCH_FORGET_IN.size
        return list(wire.FORGET_ONE.iter_unpack(self.body[first : first + count * wire.FORGET_ONE.size]))


def awaited(buffer: memoryview) -> int:
    """The number of the request in a buffer, if it is to have a reply; 0 otherwise, and where none was read yet."""
    _, opcode, unique, *_ = wire.REQUEST_HEADER.unpack_from(buffer)
    return 0 if opcode in wire.UNANSWERED else unique


class Malformed(Exception):
    """A request that isn't as the protocol says: shorter than its structure, or without a name."""


class Around(NamedTuple):
    """What a reply carries that is to be given to the kernel in a `with`."""

    giving: AbstractContextManager[None]
    content: bytes


Carried: TypeAlias = bytes | int | Around
"""What a reply carries; or an errno, for the negative answers that are so common that an exception is too dear."""

Method: TypeAlias = Callable[[Request], Answer[Carried]]
"""Serves one kind of request."""

Own: TypeAlias = Callable[[Request], None]
"""The same for a kind that is the connection's own: replies itself, if there is a reply."""
