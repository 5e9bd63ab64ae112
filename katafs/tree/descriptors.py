"""The O_PATH descriptors kept between requests: a bounded cache, because one an inode runs out on a large tree."""

import contextlib
import os
from collections import OrderedDict

from katafs.tree.nodes import Node


class Descriptors:
    """The most recently used nodes' descriptors. Guarded by the tree's lock.

    A descriptor that a request got stays open until the request ends: only `trim`, called between requests, closes the
    oldest ones. One more is lent by a lookup to the request after it, since open(2) is a lookup and then an open."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._descriptors: OrderedDict[Node, int] = OrderedDict()
        self._lent: tuple[Node, int] | None = None
        self._lent_now = False
        """Whether by the request that is under way, and not by the one before it."""
        self.untidy = False
        """Whether `trim` has something to do."""

    def __len__(self) -> int:
        return len(self._descriptors)

    def has_room(self) -> bool:
        """Whether one more can be kept without an older one having to go."""
        return len(self._descriptors) < self._limit

    def get(self, node: Node) -> int | None:
        """The node's descriptor, if it is kept."""
        descriptor = self._descriptors.get(node)
        if descriptor is not None:
            self._descriptors.move_to_end(node)
        return descriptor

    def keep(self, node: Node, descriptor: int) -> int:
        """Own the descriptor from now on, in the place of one that was kept before."""
        self.drop(node)
        self._descriptors[node] = descriptor
        if len(self._descriptors) > self._limit:
            self.untidy = True
        return descriptor

    def lend(self, node: Node, descriptor: int) -> None:
        """Own the descriptor until the end of the next request."""
        self._close_lent()
        self._lent, self._lent_now, self.untidy = (node, descriptor), True, True

    def just_found(self, node: Node) -> int | None:
        """The descriptor that was lent, if it is the node's. Meanwhile its name may have been given to another file
        behind the mount."""
        return self._lent[1] if self._lent is not None and self._lent[0] is node else None

    def _close_lent(self) -> None:
        if self._lent is not None:
            lent, self._lent = self._lent, None
            os.close(lent[1])

    def drop(self, node: Node) -> None:
        """Close the node's descriptor, if it is kept."""
        descriptor = self._descriptors.pop(node, None)
        if descriptor is not None:
            os.close(descriptor)
        if self._lent is not None and self._lent[0] is node:
            self._close_lent()

    def take(self, node: Node) -> int | None:
        """Hand the node's descriptor, if it is kept, over to the caller."""
        return self._descriptors.pop(node, None)

    def trim(self) -> None:
        """Close the oldest ones beyond the limit, and what an earlier request lent."""
        if self._lent_now:
            self._lent_now = False
        else:
            self._close_lent()
            self.untidy = False
        while len(self._descriptors) > self._limit:
            _, descriptor = self._descriptors.popitem(last=False)
            os.close(descriptor)

    def close(self) -> None:
        """Close all of them."""
        self._close_lent()
        while self._descriptors:
            _, descriptor = self._descriptors.popitem()
            with contextlib.suppress(OSError):
                os.close(descriptor)
