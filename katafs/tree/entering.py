"""The entries of a listing, most of which need no more than a stat(2): their nodes are made, or their lookups counted,
after the reply was given.

While the kernel and the program take the reply in nobody waits for the daemon, so that this costs no time.
"""

import os
import time
from collections.abc import Iterable

from katafs.tree.attributes import Attributes
from katafs.tree.core import Core
from katafs.tree.finder import Finder
from katafs.tree.nodes import Node

_MOST = 256
"""After so many no further run of entries is put off, so that others wait less than a millisecond."""
_PAUSE_S = 0.002
"""In which the kernel can be asked to forget more inodes than one listing brings, where others come faster than that:
the thread that asks it has to wait for Python's lock."""


class Entering:
    """What one reply tells of. In a `with` around the giving of it nobody else gets at the tree, and after it all its
    nodes are there; where it can't be given, nothing comes of those that were put off."""

    def __init__(self, core: Core, finder: Finder, parent: Node) -> None:
        """`parent` is the directory."""
        self._core = core
        self._finder = finder
        self._parent = parent
        self._owed: list[tuple[int, bytes, os.stat_result]] = []
        # A legacy disk may have more to say of an inode; and whose part a request is for is seen without a part's lock.
        self._may_owe = not core.legacy.is_there and core.disk is None

    def __enter__(self) -> None:
        self._core.locked.__enter__()

    def __exit__(self, problem: type[BaseException] | None, _problem: object, _traceback: object) -> None:
        try:
            if problem is None:
                for owed in self._owed:
                    self._settle(*owed)
        finally:
            self._core.locked.__exit__(None, None, None)
        if self._core.nodes.flooded:
            time.sleep(_PAUSE_S)

    @property
    def owes(self) -> bool:
        """Whether there is anything to do after the reply."""
        return bool(self._owed)

    def tell(self, names: Iterable[bytes], found: Iterable[os.stat_result], told: list[Attributes]) -> None:
        """Tell of something plain, no directories, that was seen under these names, of which each is a lookup. At once
        it is counted where the node has to say what is told. Called with the tree's lock held."""
        core = self._core
        timeout_s = core.telling.timeout_of(self._parent.volume)
        known, number_of = core.nodes.known, core.numbers.of_inode
        may_owe = self._may_owe and len(self._owed) < _MOST
        for name, status in zip(names, found, strict=False):
            number = number_of(status)
            node = known(number)
            if may_owe and (node is None or self._is_as_known(node, name, status)):
                self._owed.append((number, name, status))
                told.append(Attributes(number, 0, status, status.st_nlink, status.st_ctime_ns, timeout_s))
                if node is not None:
                    node.tell(status)
            else:
                node = self._enter(number, name, status)
                told.append(core.telling.tell_backed(node, status, 0, timeout_s))

    def _is_as_known(self, node: Node, name: bytes, status: os.stat_result) -> bool:
        if node.generation or node.parent is not self._parent or node.name != name:
            return False
        return self._finder.stays(node, self._parent, status)

    def _settle(self, number: int, name: bytes, status: os.stat_result) -> None:
        """Count a lookup. What others came to know of the number since is newer than what was seen here."""
        node = self._core.nodes.known(number)
        if node is None:
            self._enter(number, name, status).tell(status)
        elif (node.parent is self._parent and node.name == name) or not self._finder.stays(node, self._parent, status):
            node.lookups += 1
        else:
            self._enter(number, name, status)

    def _enter(self, number: int, name: bytes, status: os.stat_result) -> Node:
        node = self._finder.listed(self._parent, name, number, status)
        node.lookups += 1
        return node
