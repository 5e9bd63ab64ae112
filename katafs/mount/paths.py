"""The paths that a request is about, from the mount's top, as the kernel found them last."""

import struct
from typing import NamedTuple

from katafs.fuse import wire
from katafs.fuse.requests import Malformed, Request
from katafs.tree.tree import Tree

_NAMES = {
    wire.LOOKUP: 0,
    wire.UNLINK: 0,
    wire.RMDIR: 0,
    wire.SYMLINK: 0,
    wire.MKNOD: wire.MKNOD_IN.size,
    wire.MKDIR: wire.MKDIR_IN.size,
    wire.CREATE: wire.CREATE_IN.size,
    wire.LINK: wire.LINK_IN.size,
}
"""The requests about a name in a directory, and what stands before the name in their bodies."""
_NOWHERE = b"?"
"""The path of an inode that the kernel has forgotten, or that isn't in the tree."""


class Paths(NamedTuple):
    """What a request is about."""

    path: bytes
    to: bytes | None = None
    """Where rename(2) moves it."""


def paths_of(tree: Tree, request: Request) -> Paths:
    """The paths of a request; of a malformed one only its inode's."""
    try:
        if request.opcode == wire.RENAME2:
            (parent, _), (old, new) = wire.RENAME2_IN.unpack_from(request.body), request.names(2, wire.RENAME2_IN.size)
        elif request.opcode == wire.RENAME:
            (parent,), (old, new) = wire.RENAME_IN.unpack_from(request.body), request.names(2, wire.RENAME_IN.size)
        elif request.opcode in _NAMES:
            return Paths(_below(tree, request.node, request.name(_NAMES[request.opcode])))
        else:
            return Paths(_of(tree, request.node))
        return Paths(_below(tree, request.node, old), _below(tree, parent, new))
    except (Malformed, struct.error):
        return Paths(_of(tree, request.node))


def _below(tree: Tree, parent: int, name: bytes) -> bytes:
    return _of(tree, parent).rstrip(b"/") + b"/" + name


def _of(tree: Tree, number: int) -> bytes:
    try:
        return tree.path_of(number)
    except OSError:
        return _NOWHERE
