"""Open directories: listings that stay the same while they are read."""

import errno
import os
from collections.abc import Iterator

from katafs.errors import KatafsError
from katafs.namespace import Kind
from katafs.rooted import names
from katafs.tree.attributes import Attributes
from katafs.tree.core import Core
from katafs.tree.finder import Finder
from katafs.tree.handles import Handles, OpenDirectory
from katafs.tree.nodes import Node
from katafs.tree.tags import Tags

_DOTS = [b".", b".."]


class Directories:
    """opendir(), readdir() with attributes, fsyncdir() and releasedir()."""

    def __init__(self, core: Core, finder: Finder, tags: Tags) -> None:
        self._core = core
        self._finder = finder
        self._tags = tags
        self.handles: Handles[OpenDirectory] = Handles()

    def open(self, number: int) -> int:
        """A handle of the directory. Raises a fault where its volume can't be served."""
        with self._core.locked():
            node = self._core.node(number)
            if node.identity is not None or node.place.volume is None:
                self._core.status(node)
            elif self._core.grafts.volume_at(node.place) is not None:
                os.close(self._core.store.open(node.place.volume))
            return self.handles.add(OpenDirectory(node))

    def entries(self, handle: int, start: int) -> Iterator[tuple[bytes, Attributes, int]]:
        """From the entry `start` on: each one's name, its attributes, and the number to go on with after it.

        A reading from the beginning takes the names anew (rewinddir(3)); until then none is seen twice or missed. Each
        entry but `.` and `..` is a lookup; the one that the kernel didn't take must be reported to `refused`."""
        opened = self.handles[handle]
        if start == 0:
            opened.names = _DOTS + self._names_in(opened.node)
        for index in range(start, len(opened.names)):
            name = opened.names[index]
            told = self._dot(opened.node, name) if index < len(_DOTS) else self._entry(opened.node, name)
            if told is not None:
                yield name, told, index + 1

    def waits(self, handle: int) -> bool:
        """Whether a reading may have to look into an avatar's git, which takes its time."""
        return self._tags.listed_in(self.handles[handle].node)

    def refused(self, number: int) -> None:
        """The kernel had no room for an entry, which is no lookup then."""
        with self._core.lock:
            self._core.forget(number, 1)

    def _names_in(self, node: Node) -> list[bytes]:
        if self._tags.shown(node):
            return self._tags.names(node)
        with self._core.locked():
            self._core.steady(node)
            added = self._core.grafts.names_in(node.place)
            self._core.notice_kept(node)  # after the look at the disk: what has left it since is found in the volume
            present = [] if node.identity is None else names.listing(self._core.directory(node))
        added += self._tags.added_to(node, present)
        taken = set(present) if added else ()
        return present + [name for name in added if name not in taken]

    def _dot(self, node: Node, name: bytes) -> Attributes | None:
        shown = node if name == b"." or node.parent is None else node.parent
        if self._tags.shown(shown):
            return self._tags.told(shown)
        with self._core.locked():
            self._core.steady(shown)
            return self._core.tell(shown, self._core.status(shown))

    def _entry(self, parent: Node, name: bytes) -> Attributes | None:
        """None for a name that went away meanwhile, or that something foreign is mounted on."""
        try:
            if self._tags.concern(parent, name):
                return self._tags.listed(parent, name)
            with self._core.locked():
                return self._told(self._core.steady(parent), name)
        except OSError as negative:
            if negative.errno in (errno.ENOENT, errno.ESTALE, errno.EXDEV):
                return None
            raise

    def _told(self, parent: Node, name: bytes) -> Attributes:
        try:
            found = self._finder.find(parent, name)
        except KatafsError:
            if self._finder.place_of(parent, name).kind is Kind.PLAIN:
                raise
            found = self._finder.closed(parent, name)
        # Counted here, with the lock held: a FORGET may come while a worker thread fills the reply.
        node = self._finder.remember(parent, name, found)
        told = self._core.tell(node, found.status, closed=found.closed)
        node.lookups += 1
        return told

    def fsync(self, handle: int) -> None:
        """fsync(2) of the directory."""
        with self._core.locked():
            node = self._core.steady(self.handles[handle].node)
            if node.identity is None:
                return
            readable = names.open_directory_again(self._core.directory(node))
        try:
            os.fsync(readable)
        finally:
            os.close(readable)

    def release(self, handle: int) -> None:
        """Forget the listing."""
        with self._core.lock:
            self.handles.remove(handle)
