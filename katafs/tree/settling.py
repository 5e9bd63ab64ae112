"""After a piece was converted: the inodes that the kernel knows of it go on in the volume, open files included.

They keep their numbers, so that the kernel's caches, locks and open files stay those of the same inode.
"""

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from katafs.namespace import Kind
from katafs.rooted import inodes, names
from katafs.rooted.inodes import identity_of
from katafs.tree.nodes import DEEPEST, Node
from katafs.volumes.legacy_disk import Piece

if TYPE_CHECKING:
    from katafs.tree.core import Core  # which settles before it answers

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.EXDEV, errno.ESTALE)


def settle(core: "Core", piece: Piece, *, asked: bool = False) -> None:
    """Move the piece's nodes over. Called with the tree's lock held. Raises a fault of the store; those that were not
    moved yet are then moved the next time. Raises Unasked where the store doesn't know of their volume, unless it was
    asked just now."""
    nodes = sorted(core.legacy.nodes_of(piece), key=_depth)
    volume = nodes[0].volume if nodes else None
    if volume is not None and not asked and not core.legacy.store.knows(volume):
        raise core.legacy.store.unasked(volume, piece)
    if volume is not None:
        core.owners.met(volume)
    for node in nodes:
        try:
            _relocate(core, node)
        except OSError as problem:
            if problem.errno not in _GONE:
                raise
            core.descriptors.drop(node)  # removed since, by somebody else
        core.legacy.track(node, None)


def _depth(node: Node) -> int:
    depth = 0
    while node.parent is not None and depth < DEEPEST:
        depth, node = depth + 1, node.parent
    return depth


def _relocate(core: "Core", node: Node) -> None:
    """Find the node's inode where it is now: below its parent, which was moved before."""
    descriptor = _found(core, node)
    try:
        status = os.fstat(descriptor)
        identity = identity_of(status)
        if identity != node.identity or node.is_grafted() or node.is_stray():
            node.converted_ctime_ns = status.st_ctime_ns if node.told_ctime_ns else 0
        if identity == node.identity:
            return
        core.descriptors.drop(node)
        core.numbers.keep(node.identity, identity, node.number)
        node.identity = identity
        for handle in node.handles:
            # What a container has put in the file's place since, or leased, can't be read in its stead: whoever has the
            # file open keeps what it had when it was converted.
            with contextlib.suppress(OSError):
                _redirect(handle, descriptor)
    finally:
        os.close(descriptor)


def _found(core: "Core", node: Node) -> int:
    if node.is_grafted() and node.volume is not None:
        return core.store.open(node.volume)
    assert node.parent is not None  # only the root has none, and that is no part of a piece
    if node.parent.identity is None and node.parent.place.kind is Kind.OUTER:
        core.adopt(node.parent)
    descriptor, _ = names.look(core.reaching.directory(node.parent), node.name)
    return descriptor


def _redirect(handle: int, descriptor: int) -> None:
    """Make an open file's descriptor be one of another inode, in one step: a read may be under way in a thread."""
    opened = inodes.open_again(descriptor, os.O_RDONLY)
    try:
        os.dup2(opened, handle, inheritable=False)
    finally:
        os.close(opened)
