"""Open files and open directories, by handle. Every handle has one owner: release removes it."""

import errno
import itertools
from dataclasses import dataclass
from typing import TypeVar

from katafs.rooted.answer import answer
from katafs.tree.nodes import Node


@dataclass(slots=True)
class OpenFile:
    """An open regular file."""

    node: Node
    descriptor: int
    waits: bool
    """Whether each write waits for the disk (O_SYNC, O_DSYNC)."""
    asks: bool = False
    """Whether each read and write has to come through the tree: of a file that git is read for, or that is on a legacy
    disk, from which an open file is moved to a volume; with O_DIRECT, whose
    rules for buffers are the backing file's and not the tree's; with O_APPEND, which fcntl(2) switches off again."""
    uncached: bool = False
    """Whether the kernel is to keep nothing that goes through it: it was opened with O_DIRECT; or only to append, where
    the kernel would part a write that begins within a page that it hasn't read."""
    keeps: bool = False
    """Whether nothing has changed in it since it was opened before this."""
    ctime_ns: int = 0
    """When it had changed last as it was opened; 0 of one that was made then."""

    def taken_in(self) -> None:
        """The kernel has the reply to the open, since a request names the handle: if it was to drop what it kept of the
        file from before, it has. Until then another open must not have it keep that."""
        if self.ctime_ns:
            self.node.opened_ctime_ns = self.ctime_ns


@dataclass(slots=True)
class OpenDirectory:
    """An open directory."""

    node: Node
    replaced: int
    """How often the node had been replaced when it was opened."""


Open = TypeVar("Open", OpenFile, OpenDirectory)


class Handles(dict[int, Open]):
    """What is open, by handle. Guarded by the tree's lock where one is added or removed; a look at one is atomic, and
    no call of Python's. Raises OSError(EBADF) for a handle that isn't in use."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self._numbers = itertools.count(first)

    def __missing__(self, handle: int) -> Open:
        raise answer(errno.EBADF)

    def add(self, opened: Open) -> int:
        """A new handle of what was opened."""
        handle = next(self._numbers)
        self[handle] = opened
        return handle

    def remove(self, handle: int) -> Open:
        """Give the handle up."""
        opened = self[handle]
        del self[handle]
        return opened
