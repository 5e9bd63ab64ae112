"""What the tree remembers beyond what it is to: which inodes the kernel is asked to forget.

The kernel alone knows which of them programs use, and keeps those. So it is asked for the ones that came longest ago,
and then for others, until enough FORGETs have come. Knows nothing of how it is asked.
"""

import threading
from collections.abc import Iterator
from typing import NamedTuple

from katafs.tree.core import Core
from katafs.tree.nodes import Node

_ROOM = 4096
"""So many inodes at least, unless that were most of them, may come while the kernel is asked: on a busy machine within
a tenth of a second."""


class Unneeded(NamedTuple):
    """An inode that the tree itself has no use for."""

    number: int
    parent: int
    name: bytes
    """Its name in the parent, as it was seen last."""
    is_directory: bool


class Surplus:
    """The bound on the tree's nodes. One thread, which waits for `crowded`, keeps it."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._nodes = core.nodes
        self.limit = core.settings.inodes
        room = max(self.limit // 8, min(self.limit // 2, _ROOM))
        self._alarm_at = self.limit - room
        self._enough = self._alarm_at - room // 2
        self._nodes.alarm_at = self._alarm_at
        self._nodes.flooded_at = self.limit
        self.crowded = self._nodes.crowded
        """Set when there is something to do."""
        self.forgotten = threading.Event()
        """Set by each FORGET."""

    @property
    def known(self) -> int:
        """How many inodes the tree remembers."""
        return len(self._nodes)

    @property
    def most(self) -> int:
        """How many it remembered at a time up to now."""
        return self._nodes.most

    @property
    def gone(self) -> int:
        """How many it has forgotten up to now."""
        return self._nodes.gone

    @property
    def excess(self) -> int:
        """How many are to be forgotten."""
        return max(0, len(self._nodes) - self._enough)

    def pass_over(self, count: int) -> list[Unneeded]:
        """Those without need among so many of the oldest inodes. The next call begins with those that follow."""
        with self._core.lock:
            return list(_unneeded(self._nodes.pass_over(count)))

    def watch(self) -> None:
        """Have `crowded` set again: when there are too many, or where all those that are left are in use, many more."""
        with self._core.lock:
            in_use = len(self._nodes) if self.excess else 0
            self._nodes.alarm_at = max(self._alarm_at, in_use + self.limit // 8)


def _unneeded(nodes: list[Node]) -> Iterator[Unneeded]:
    """All but the root, those with open files, and those that have lost their last name and are held."""
    for node in nodes:
        if node.parent is not None and not node.handles and node.held is None:
            yield Unneeded(node.number, node.parent.number, node.name, node.is_directory)
