"""The paths that a request is about, from the mount's top, as the kernel found them last."""

import contextlib
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
    with contextlib.suppress(Malformed, struct.error):
        if request.opcode in (wire.RENAME, wire.RENAME2):
            parent, old, new, _ = request.move()
            return Paths(_below(tree, request.node, old), _below(tree, parent, new))
        if request.opcode in _NAMES:
            return Paths(_below(tree, request.node, request.name(_NAMES[request.opcode])))
    return Paths(_of(tree, request.node))


def _below(tree: Tree, parent: int, name: bytes) -> bytes:
    return _of(tree, parent).rstrip(b"/") + b"/" + name


def _of(tree: Tree, number: int) -> bytes:
    try:
        return tree.path_of(number)
    except OSError:
        return _NOWHERE
