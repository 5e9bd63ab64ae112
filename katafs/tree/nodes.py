"""The inodes that the kernel remembers, by inode number."""

import errno
import os
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from katafs.kata_id import VolumeName
from katafs.namespace import PLAIN, Place
from katafs.rooted.answer import answer
from katafs.volumes.legacy_disk import Piece

ROOT_NUMBER = 1
"""FUSE's number for the root of a mount."""
DEEPEST = 4096
"""More directories than a path has: a longer chain of parents was tied into a ring by moves behind the mount."""


@dataclass(eq=False, slots=True, weakref_slot=True)
class Node:
    """One inode: what it is, and where it was seen last."""

    number: int
    place: Place
    volume: VolumeName | None
    """The volume its bytes are in; None for a directory that no volume holds."""
    parent: "Node | None"
    name: bytes
    identity: tuple[int, int] | None
    """st_dev and st_ino of the backing inode; None where there is none."""
    is_directory: bool
    lookups: int = 0
    """The kernel's lookup count: how many replies have named the inode, less what FORGET took back."""
    generation: int = 0
    """Counted up when the number comes to stand for another inode, so that the kernel drops what it kept of the old."""
    replaced: int = 0
    """How often it came to be another directory than it had been, which those who have that open aren't to be shown."""
    handles: list[int] = field(default_factory=list)
    """The descriptors of its open files."""
    held: int | None = None
    """A descriptor of an inode that has lost its last name, until the kernel forgets it: an O_PATH one, or that of an
    open file, which does for this as well."""
    told: tuple[int, int, int] | None = None
    """Mode, owner and group as the kernel was told last: what its permission checks go by."""
    piece: Piece | None = None
    """The piece of a legacy disk that its bytes are in, if they aren't in a volume."""
    told_ctime_ns: int = 0
    """When the inode changed last, as the kernel was told last."""
    opened_ctime_ns: int = 0
    """When the inode had changed last as its content was opened: what the kernel keeps of it isn't older."""
    read_unsettled: bool = False
    """Whether the kernel may keep content of it that was read when a change could leave its mtime as it was."""
    doubt: int = 0
    """What the mtime was made another with last, so that the kernel drops such content."""
    converted_ctime_ns: int = 0
    """The backing inode's ctime after a conversion, which changed nothing of what the kernel knows."""

    def is_grafted(self) -> bool:
        """Whether it is the top of a volume."""
        place = self.place
        return place is not PLAIN and place.volume is not None and place.volume == self.volume

    def is_stray(self) -> bool:
        """Whether it is the top of a stray on a legacy disk."""
        if self.piece is None or self.piece.kata is not None:
            return False
        return self.parent is not None and self.parent.piece is None

    def hold(self, descriptor: int) -> None:
        """The inode has lost its last name. Takes over an O_PATH descriptor of it."""
        if self.handles:
            os.close(descriptor)
            descriptor = self.handles[-1]
        self.held = descriptor

    def let_go(self) -> int | None:
        """Nobody asks any more for what is held: its descriptor, to be closed, unless that is an open file's still."""
        held, self.held = self.held, None
        return None if held in self.handles else held

    def leave(self, descriptor: int) -> bool:
        """An open file is closed for good; whether its descriptor is to be as well, and not held."""
        self.handles.remove(descriptor)
        if self.held == descriptor and self.handles:
            self.held = self.handles[-1]
        return self.held != descriptor

    def vanish(self) -> None:
        """The inode can't be reached any more, and from now on another may be given its number. No inode has 0:
        whatever comes, it isn't this one."""
        if self.identity is not None:
            self.identity = self.identity[0], 0

    def tell(self, status: os.stat_result) -> int:
        """Take note that the kernel is told this of it; with which ctime. A conversion is no change: tar complains of a
        file whose ctime has moved."""
        self.told = (status.st_mode, status.st_uid, status.st_gid)  # rights_of; each entry of a listing comes by
        if not self.converted_ctime_ns or status.st_ctime_ns != self.converted_ctime_ns:
            self.converted_ctime_ns, self.told_ctime_ns = 0, status.st_ctime_ns
        return self.told_ctime_ns

    def doubted_mtime_ns(self, status: os.stat_result) -> int:
        """An mtime of the same second that is neither the true one nor the last that this gave."""
        self.doubt = 3 - (self.doubt or 1)
        return status.st_mtime_ns ^ self.doubt


def rights_of(status: os.stat_result) -> tuple[int, int, int]:
    """Mode, owner and group: what permission checks go by."""
    return status.st_mode, status.st_uid, status.st_gid


class _Numbered(dict[int, Node]):
    """Nodes by number. To look for one is no call of Python's."""

    def __missing__(self, number: int) -> Node:
        raise answer(errno.ESTALE)


class NodeTable:
    """Every node with a lookup count above zero, and the root. Guarded by the tree's lock."""

    def __init__(self, root: Node, *, knows_root: bool = True) -> None:
        """A part of a tree doesn't know the root: that is the tree's own."""
        self.root = root
        self._nodes = _Numbered({root.number: root} if knows_root else {})
        """Those that were added longest ago come first. What the kernel knows is always in it, since others look
        without the lock."""
        self._to_pass: deque[int] = deque()
        """The numbers of those that weren't passed over yet in this round; some may have been forgotten since."""
        self.known = self._nodes.get
        """The node of a number, or None where the kernel doesn't know the inode."""
        self.find = self._nodes.__getitem__
        """The node of a number. Raises OSError(ESTALE) for one that isn't in use: the kernel then looks the path up
        anew."""
        self._parents: WeakValueDictionary[int, Node] = WeakValueDictionary()
        """Directories that the kernel has forgotten while it knows something that was seen last in one of them."""
        self.most = 1
        """How many there were at a time up to now."""
        self.gone = 0
        """How many were forgotten up to now."""
        self.alarm_at = sys.maxsize
        """More than so many set `crowded`, once."""
        self.crowded = threading.Event()
        self.flooded_at = sys.maxsize
        """With more than so many, the kernel forgets fewer than come although it is asked to: then listings wait."""

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def flooded(self) -> bool:
        """Whether the kernel is being asked to forget some, and more come all the same than go."""
        return len(self._nodes) > self.flooded_at and self.alarm_at == sys.maxsize

    def add(self, node: Node) -> None:
        """Take in a node that a reply is about to name."""
        self._nodes[node.number] = node
        count = len(self._nodes)
        if count > self.most:
            self.most = count
        if count > self.alarm_at:
            self.alarm_at = sys.maxsize
            self.crowded.set()

    def revive(self, number: int) -> Node | None:
        """Take in again a directory that was forgotten, if something was seen in it last: a move of it must go on to
        move that as well, so that there may be no second node of it."""
        node = self._parents.pop(number, None)
        if node is not None:
            node.lookups = 0
            self.add(node)
        return node

    def pass_over(self, count: int) -> list[Node]:
        """So many of the nodes, round after round, in each from the oldest on."""
        passed: list[Node] = []
        for _ in range(2):  # the rest of a round, fewer maybe, or else some of the next
            while self._to_pass and len(passed) < count:
                node = self._nodes.get(self._to_pass.popleft())
                if node is not None:
                    passed.append(node)
            if passed:
                break
            self._to_pass.extend(self._nodes)
        return passed

    def forget(self, number: int, count: int) -> Node | None:
        """Take back `count` lookups; the node if that was the last of them and it is gone from the table."""
        node = self._nodes.get(number)
        if node is None or node is self.root:
            return None
        node.lookups -= count
        if node.lookups > 0:
            return None
        self.gone += 1
        if node.is_directory:
            self._parents[number] = node
        return self._nodes.pop(number)

    def all(self) -> list[Node]:
        """Every node."""
        return list(self._nodes.values())
