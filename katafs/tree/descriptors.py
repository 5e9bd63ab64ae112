"""The O_PATH descriptors kept between requests: a bounded cache, because one an inode runs out on a large tree; and
those that the daemon needs itself."""

import contextlib
import errno
import os
import resource
from collections import OrderedDict

from katafs.tree.nodes import Node

_OWN = 64


class Reserve:
    """The last descriptors that this process may have, or an eighth of a few. Programs leave them to the daemon: else
    the files that one has open would keep everybody from looking a name up, and the watchdog from hearing of the mount.
    """

    def __init__(self) -> None:
        allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._first = allowed - min(_OWN, allowed // 8)

    def has(self, descriptor: int) -> bool:
        """Whether a descriptor is among them: open(2) gives the lowest number that is free."""
        return descriptor >= self._first

    def refuse(self, descriptor: int) -> None:
        """Raises OSError(EMFILE) for a program's descriptor that is among them."""
        if self.has(descriptor):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


class Descriptors:
    """The most recently used nodes' descriptors. Guarded by the tree's lock.

    A descriptor that a request got stays open until the request ends: only `trim`, called between requests, closes the
    oldest ones, and those of the reserve."""

    def __init__(self, limit: int, reserve: Reserve) -> None:
        self._limit = limit
        self._reserve = reserve
        self._descriptors: OrderedDict[Node, int] = OrderedDict()
        self._reserved: list[Node] = []
        """Those that were given one of the reserve since the last trim."""
        self.untidy = False
        """Whether `trim` has something to do."""
        self.hits = 0
        self.misses = 0
        """How often a directory's descriptor was asked for that was kept, and that wasn't."""

    def __len__(self) -> int:
        return len(self._descriptors)

    def has_room(self) -> bool:
        """Whether one more can be kept without an older one having to go."""
        return len(self._descriptors) < self._limit and not self._reserved

    def get(self, node: Node) -> int | None:
        """The node's descriptor, if it is kept."""
        descriptor = self._descriptors.get(node)
        if descriptor is None:
            self.misses += node.is_directory
            return None
        self.hits += node.is_directory
        self._descriptors.move_to_end(node)
        return descriptor

    def keep(self, node: Node, descriptor: int) -> int:
        """Own the descriptor from now on, in the place of one that was kept before."""
        self.drop(node)
        self._descriptors[node] = descriptor
        if self._reserve.has(descriptor):
            self._reserved.append(node)
            self.untidy = True
        elif len(self._descriptors) > self._limit:
            self.untidy = True
        return descriptor

    def drop(self, node: Node) -> None:
        """Close the node's descriptor, if it is kept."""
        descriptor = self._descriptors.pop(node, None)
        if descriptor is not None:
            os.close(descriptor)

    def trim(self) -> None:
        """Close the oldest ones beyond the limit, and those of the reserve."""
        self.untidy = False
        while self._reserved:
            self.drop(self._reserved.pop())
        while len(self._descriptors) > self._limit:
            _, descriptor = self._descriptors.popitem(last=False)
            os.close(descriptor)

    def close(self) -> None:
        """Close all of them."""
        while self._descriptors:
            _, descriptor = self._descriptors.popitem()
            with contextlib.suppress(OSError):
                os.close(descriptor)
