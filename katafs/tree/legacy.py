"""What the tree serves from a legacy disk: which of its inodes are there, and when they have to leave.

A piece of the disk is only ever read. Whatever would change it raises `Unconverted` before anything is done; whoever
called then has it converted, where that may take its time, and asks again. Knows nothing of how that is done.
"""

import errno
import os
from typing import Protocol

from katafs.config import Convert
from katafs.kata_id import VolumeName
from katafs.namespace import Kind
from katafs.rooted.answer import answer
from katafs.tree.nodes import Node
from katafs.volumes.legacy_disk import LegacyDisk, Piece
from katafs.volumes.legacy_store import LegacyStore

WITH_STRAYS = (Kind.ROOT, Kind.OUTER)
"""In what the strays of a disk are."""


class Unconverted(Exception):
    """What was asked for would change a piece that stands on the disk."""

    def __init__(self, piece: Piece, *, needed: bool = True) -> None:
        super().__init__(f"{piece.label} is to be converted first")
        self.piece = piece
        self.needed = needed
        """Whether it can't be done otherwise. A piece that can't be converted can still be read."""


class Mover(Protocol):
    """Converts. Safe for several threads; may take its time."""

    def convert(self, piece: Piece) -> object:
        """Bring the piece into its volume, unless it is there. Raises KatafsError or OSError where that failed."""

    def keep_outer(self, outer: str) -> None:
        """Make an outer directory in the root volume, or for "" that itself, as on the disk, if it isn't there."""


class Legacy:
    """The disk's part of a tree. Guarded by the tree's lock."""

    is_there = True
    """Whether there is a disk."""

    def __init__(self, store: LegacyStore, mover: Mover, rule: Convert) -> None:
        self.store = store
        self.mover = mover
        self.rule = rule
        self._nodes: dict[Piece, set[Node]] = {}
        """The inodes of each piece that the kernel knows."""
        self.held: list[int] = []
        """The keys of the pieces that the request under way has met."""
        self.left_as_they_are: set[Piece] = set()
        """What couldn't be converted when it was opened for reading: that isn't tried anew until it is changed."""

    @property
    def disk(self) -> LegacyDisk:
        """The disk itself."""
        return self.store.disk

    # What is on it

    def top_status(self) -> os.stat_result:
        """What the root of a tree without a root volume is like."""
        return os.fstat(self.disk.top)

    def outers(self) -> list[str]:
        """As `LegacyDisk.outers`."""
        return self.disk.outers()

    def outer_status(self, outer: str) -> os.stat_result | None:
        """As `LegacyDisk.outer_status`."""
        return self.disk.outer_status(outer)

    def keep_outer(self, outer: str) -> None:
        """Have the mover keep the top, or an outer directory if it is on the disk."""
        if not outer or self.outer_status(outer) is not None:
            self.mover.keep_outer(outer)

    def strays_in(self, outer: str) -> list[bytes]:
        """As `LegacyDisk.strays_in`."""
        return self.disk.strays_in(outer)

    def stray(self, outer: str, name: bytes) -> Piece | None:
        """As `LegacyDisk.stray`."""
        return self.disk.stray(outer, name)

    def piece_of(self, volume: VolumeName) -> Piece | None:
        """As `LegacyStore.piece`."""
        return self.store.piece(volume)

    # What the kernel knows of that

    def track(self, node: Node, piece: Piece | None) -> None:
        """Take note that the node is served from this piece, or from a volume."""
        if node.piece is not None:
            left = self._nodes[node.piece]
            left.discard(node)
            if not left:
                del self._nodes[node.piece]
        if piece is not None:
            self._nodes.setdefault(piece, set()).add(node)
        node.piece = piece

    def nodes_of(self, piece: Piece) -> list[Node]:
        """The nodes that are served from a piece."""
        return list(self._nodes.get(piece, ()))

    def hold(self, piece: Piece) -> bool:
        """Whether the piece stands on the disk; if so, nothing of it is deleted until `release`."""
        if piece.key in self.held:
            return True
        if not self.disk.locks.hold(piece.key):
            return False
        self.held.append(piece.key)
        return self.disk.stands(piece)

    def release(self) -> None:
        """A request ends."""
        while self.held:
            self.disk.locks.release(self.held.pop())

    def refuse(self, piece: Piece | None) -> None:
        """Raise Unconverted for a change of what is in a piece, or OSError(EROFS) where nothing is ever converted."""
        if piece is not None:
            self.refuse_never()
            raise Unconverted(piece)

    def refuse_never(self) -> None:
        """Raise OSError(EROFS) where nothing on the disk is ever changed."""
        if self.rule is Convert.NEVER:
            raise answer(errno.EROFS)

    def refuse_open(self, piece: Piece) -> None:
        """The same for what is to be opened, where that alone converts."""
        if self.rule is Convert.ON_OPEN and piece not in self.left_as_they_are:
            raise Unconverted(piece, needed=False)


class NoLegacy(Legacy):
    """Of a tree without a legacy disk: nothing is on it. So nobody ever has a piece, and nothing that takes one, or the
    disk itself, is asked for."""

    is_there = False

    def __init__(self) -> None:
        self.held = []

    def top_status(self) -> os.stat_result:
        """That of `/`."""
        return os.stat("/")

    def outers(self) -> list[str]:
        """None."""
        return []

    def outer_status(self, _: str) -> None:
        """None."""

    def keep_outer(self, _: str) -> None:
        """Nothing."""

    def strays_in(self, _: str) -> list[bytes]:
        """None."""
        return []

    def stray(self, _outer: str, _name: bytes) -> None:
        """None."""

    def piece_of(self, _: VolumeName) -> None:
        """None."""
