"""What a reply hands to the kernel: an inode that is looked up, a handle; and how the kernel gives that back."""

from collections.abc import Iterator

from katafs.fuse import wire
from katafs.fuse.requests import Request

_NAMING = frozenset((wire.LOOKUP, wire.SYMLINK, wire.MKNOD, wire.MKDIR, wire.LINK, wire.CREATE))
"""Of what replies to these carry an entry comes first."""


def given_back(request: Request, content: bytes) -> Iterator[Request]:
    """The requests by which the kernel would give back what a reply to this one carries, if it had that. READDIRPLUS
    isn't looked at: most of what a listing tells of is counted when its reply is given, and so isn't where it can't be.
    """
    node = wire.ENTRY_OUT.unpack_from(content)[0] if request.opcode in _NAMING else request.node
    if request.opcode in (wire.OPEN, wire.CREATE):
        yield _made(wire.RELEASE, node, wire.RELEASE_IN.pack(_handle(request, content), 0, 0, 0))
    elif request.opcode == wire.OPENDIR:
        yield _made(wire.RELEASEDIR, node, wire.RELEASE_IN.pack(_handle(request, content), 0, 0, 0))
    if request.opcode in _NAMING and node:  # 0 is a name that isn't there
        yield _made(wire.FORGET, node, wire.FORGET_IN.pack(1))


def _handle(request: Request, content: bytes) -> int:
    handle: int = wire.OPEN_OUT.unpack_from(content, wire.ENTRY_OUT.size if request.opcode in _NAMING else 0)[0]
    return handle


def _made(opcode: int, node: int, body: bytes) -> Request:
    return Request(opcode, 0, node, 0, 0, 0, memoryview(body))
