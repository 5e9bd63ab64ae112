"""The O_PATH descriptors kept between requests: a bounded cache, because one an inode runs out on a large tree."""

import contextlib
import os
from collections import OrderedDict

from katafs.tree.nodes import Node


class Descriptors:
    """The most recently used nodes' descriptors. Guarded by the tree's lock.

    A descriptor that a request got stays open until the request ends: only `trim`, called between requests, closes the
    oldest ones."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._descriptors: OrderedDict[Node, int] = OrderedDict()
        self.untidy = False
        """Whether `trim` has something to do."""
        self.hits = 0
        self.misses = 0
        """How often a directory's descriptor was asked for that was kept, and that wasn't."""

    def __len__(self) -> int:
        return len(self._descriptors)

    def has_room(self) -> bool:
        """Whether one more can be kept without an older one having to go."""
        return len(self._descriptors) < self._limit

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
        if len(self._descriptors) > self._limit:
            self.untidy = True
        return descriptor

    def drop(self, node: Node) -> None:
        """Close the node's descriptor, if it is kept."""
        descriptor = self._descriptors.pop(node, None)
        if descriptor is not None:
            os.close(descriptor)

    def trim(self) -> None:
        """Close the oldest ones beyond the limit."""
        self.untidy = False
        while len(self._descriptors) > self._limit:
            _, descriptor = self._descriptors.popitem(last=False)
            os.close(descriptor)

    def close(self) -> None:
        """Close all of them."""
        while self._descriptors:
            _, descriptor = self._descriptors.popitem()
            with contextlib.suppress(OSError):
                os.close(descriptor)
