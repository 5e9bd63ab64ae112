"""What goes on in volumes by now: of a piece that was converted the inodes that the kernel knows, open files included,
and outer directories that were only names before.

They keep their numbers, so that the kernel's caches, locks and open files stay those of the same inode.
"""

import contextlib
import errno
import os
import stat

from katafs.namespace import Kind
from katafs.rooted import inodes, names
from katafs.rooted.answer import answer
from katafs.rooted.inodes import identity_of
from katafs.tree.descriptors import Descriptors
from katafs.tree.legacy import Legacy
from katafs.tree.nodes import DEEPEST, Node
from katafs.tree.numbers import Numbers
from katafs.tree.owners import Owners
from katafs.tree.reaching import Reaching
from katafs.volumes.legacy_disk import Piece

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.EXDEV, errno.ESTALE)


class Settling:
    """Takes note of that. Every method is called with the tree's lock held."""

    def __init__(
        self, legacy: Legacy, owners: Owners, numbers: Numbers, descriptors: Descriptors, reaching: Reaching
    ) -> None:
        self._legacy = legacy
        self._owners = owners
        self._numbers = numbers
        self._descriptors = descriptors
        self._reaching = reaching

    # Outer directories

    def adopt(self, node: Node) -> None:
        """Take note that the root volume has by now a directory that no volume held.

        Raises OSError(ENOENT) where it hasn't, OSError(EROFS) where something else has the name there."""
        if node.parent is None:
            raise answer(errno.EROFS, node.name)
        descriptor, status = names.look(self._reaching.directory(node.parent), node.name)
        if not stat.S_ISDIR(status.st_mode):
            # Something else in the volume has the name, and the directory that shows in its place is made of names.
            os.close(descriptor)
            raise answer(errno.EROFS, node.name)
        node.identity, node.volume = identity_of(status), node.parent.volume
        self._descriptors.keep(node, descriptor)

    def notice_kept(self, node: Node) -> bool:
        """Take note of an outer directory that a conversion has made in the root volume since; whether one has."""
        if not self._legacy.is_there or node.identity is not None or node.place.kind is not Kind.OUTER:
            return False
        with contextlib.suppress(FileNotFoundError):
            try:
                self.adopt(node)
            except OSError as unserved:
                if unserved.errno != errno.EROFS:
                    raise
        return node.identity is not None

    # Pieces

    def settle(self, piece: Piece, *, asked: bool = False) -> None:
        """Move a converted piece's nodes over. Raises a fault of the store; those that weren't moved yet are moved the
        next time then. Raises Unasked where the store doesn't know of their volume, unless it was asked just now."""
        nodes = sorted(self._legacy.nodes_of(piece), key=_depth)
        volume = nodes[0].volume if nodes else None
        if volume is not None and not asked and not self._legacy.store.knows(volume):
            raise self._legacy.store.unasked(volume, piece)
        if volume is not None:
            self._owners.met(volume)
        for node in nodes:
            try:
                self._relocate(node)
            except OSError as problem:
                if problem.errno not in _GONE:
                    raise
                self._descriptors.drop(node)  # removed since, by somebody else
            self._legacy.track(node, None)

    def _relocate(self, node: Node) -> None:
        """Find the node's inode where it is now: below its parent, which was moved before."""
        descriptor = self._found(node)
        try:
            status = os.fstat(descriptor)
            identity = identity_of(status)
            if identity != node.identity or node.is_grafted() or node.is_stray():
                node.converted_ctime_ns = status.st_ctime_ns if node.told_ctime_ns else 0
            if identity == node.identity:
                return
            self._descriptors.drop(node)
            self._numbers.keep(node.identity, identity, node.number)
            node.identity = identity
            for handle in node.handles:
                # What a container has put in the file's place since, or leased, can't be read in its stead: whoever has
                # the file open keeps what it had when it was converted.
                with contextlib.suppress(OSError):
                    _redirect(handle, descriptor)
        finally:
            os.close(descriptor)

    def _found(self, node: Node) -> int:
        if node.is_grafted() and node.volume is not None:
            return self._legacy.store.open(node.volume)
        assert node.parent is not None  # only the root has none, and that is no part of a piece
        if node.parent.identity is None and node.parent.place.kind is Kind.OUTER:
            self.adopt(node.parent)
        descriptor, _ = names.look(self._reaching.directory(node.parent), node.name)
        return descriptor


def _depth(node: Node) -> int:
    depth = 0
    while node.parent is not None and depth < DEEPEST:
        depth, node = depth + 1, node.parent
    return depth


def _redirect(handle: int, descriptor: int) -> None:
    """Make an open file's descriptor be one of another inode, in one step: a read may be under way in a thread."""
    opened = inodes.open_again(descriptor, os.O_RDONLY)
    try:
        os.dup2(opened, handle, inheritable=False)
    finally:
        os.close(opened)
