"""Open directories: listings that stay the same while they are read."""

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from katafs.errors import KatafsError, StoreUnreachable
from katafs.namespace import PLAIN_BELOW, Kind
from katafs.rooted import names
from katafs.rooted.answer import DAMAGE, answer
from katafs.tree.attributes import Attributes
from katafs.tree.core import ROOT_REMOVED, Core
from katafs.tree.entering import Entering
from katafs.tree.finder import Finder
from katafs.tree.handles import Handles, OpenDirectory
from katafs.tree.listings import Listed, Listings
from katafs.tree.lookups import Lookups
from katafs.tree.nodes import Node
from katafs.tree.numbers import UNTOLD
from katafs.tree.requests import Elsewhere
from katafs.tree.tags import Tags

_DOTS = {b".": 0, b"..": 0}
_AT_ONCE = 64
"""Entries that are added in one holding of the lock, for which others wait some tenths of a millisecond then."""


class _Glimpse(NamedTuple):
    """What some entries of a directory looked like, from the one at `start` on."""

    start: int
    found: list[os.stat_result | None]
    changes: int
    identity: tuple[int, int] | None

    def run(self, start: int) -> list[os.stat_result]:
        """What was seen of the entries from one on, up to one of which nothing was."""
        run: list[os.stat_result] = []
        for status in self.found[start - self.start :]:
            if status is None:
                break
            run.append(status)
        return run


class Reply(Protocol):
    """What a listing is put into."""

    def room_for(self, names: Sequence[bytes]) -> int:
        """How many entries of these names, from the first one on, have room."""

    def add(self, names: Sequence[bytes], told: Sequence[Attributes], following: int) -> None:
        """Take in so many entries as are told of, and the number to go on with after the first of them."""

    def add_unknown(self, name: bytes, number: int, following: int, mode: int = stat.S_IFDIR) -> None:
        """The same of a directory of which nothing is told: the kernel asks when somebody wants to know. The mode 0 is
        for what nobody knows the type of."""

    def give_within(self, giving: AbstractContextManager[None]) -> None:
        """Have the reply given to the kernel in a `with` of this."""


class Directories:
    """opendir(), readdir() with attributes, fsyncdir() and releasedir()."""

    def __init__(self, core: Core, finder: Finder, lookups: Lookups, tags: Tags) -> None:
        self._core = core
        self._finder = finder
        self._lookups = lookups
        self._tags = tags
        self.handles: Handles[OpenDirectory] = Handles(core.first_handle)
        self._listings = Listings()

    def open(self, number: int) -> int:
        """A handle of the directory. Raises a fault where its volume can't be served."""
        with self._core.locked:
            node = self._core.node(number)
            if node.identity is not None or node.place.volume is None:
                self._core.reaching.status(node)
            elif self._core.grafts.volume_at(node.place) is not None:
                os.close(self._core.reaching.open_top(node.place.volume, node.name))
                raise answer(errno.ESTALE, node.name)  # it has come since: looked up anew, it isn't empty
            return self.handles.add(OpenDirectory(node, node.replaced))

    def fill(self, handle: int, start: int, reply: Reply) -> None:
        """Put entries into the reply, from the one at `start` on, as many as have room.

        A reading from the beginning takes the names anew (rewinddir(3)); until then none is seen twice or missed. Each
        entry but `.` and `..` is a lookup, also where an error comes after it. Raises OSError(ENOMEM) where the names
        had to make room for others', and are other ones now."""
        node = self._opened(handle).node
        entering = Entering(self._core, self._finder, node)
        listed = self._listed(handle, node, start)
        while start < len(listed.names):
            glimpse = self._glance(node, listed, start)
            end = start + max(1, len(glimpse.found))
            while start < end:
                start += self._add(node, listed.names, start, glimpse, reply, entering)
                if start == end:
                    break
                if not reply.room_for(listed.names[start : start + 1]):
                    return
                self._fill_one(node, listed.names[start], start, reply)
                start += 1

    def _opened(self, handle: int) -> OpenDirectory:
        """What is open. Raises OSError(ESTALE) where another directory has its node by now, a volume that was made anew
        behind the mount: nobody has checked whether who has the old one open may list that."""
        opened = self.handles[handle]
        if opened.node.replaced != opened.replaced:
            raise answer(errno.ESTALE, opened.node.name)
        return opened

    def _listed(self, handle: int, node: Node, start: int) -> Listed:
        kept = self._listings.get(handle) if start else None
        if kept is not None:
            return kept
        found = _DOTS | self._names_in(node)
        self._opened(handle)  # nor was it replaced meanwhile
        listed = Listed([*found], [*found.values()])
        if start and self._listings.has_changed(handle, listed):
            raise answer(errno.ENOMEM, node.name)
        self._listings.put(handle, listed)
        return listed

    def _glance(self, node: Node, listed: Listed, start: int) -> _Glimpse:
        """What can be told of the next entries without opening them. A slow disk is waited for without the lock."""
        if start < len(_DOTS) or node.identity is None or node.place.kind not in PLAIN_BELOW:
            return _Glimpse(start, [], self._core.changes, node.identity)
        # Before the lock is had for the descriptor: a change that is counted already is done by then.
        changes, identity = self._core.changes, node.identity
        with self._core.borrowed(node) as directory:
            next_ones = slice(start, start + _AT_ONCE)
            found = names.glance(directory, listed.names[next_ones], listed.inodes[next_ones])
        return _Glimpse(start, found, changes, identity)

    def _add(
        self, node: Node, listed: Sequence[bytes], start: int, glimpse: _Glimpse, reply: Reply, entering: Entering
    ) -> int:
        """How many entries were added of which there was a glimpse, before one that there was none of, or that has no
        room. No entry where something may have changed since."""
        found = glimpse.run(start)
        if not found:
            return 0
        core = self._core
        shown = listed[start : start + len(found)]
        told: list[Attributes] = []
        with core.locked:
            parent = core.steady(node)
            if (core.changes, parent.identity) != (glimpse.changes, glimpse.identity):
                return 0
            try:
                entering.tell(shown[: reply.room_for(shown)], found, told)
            finally:
                if entering.owes:
                    reply.give_within(entering)
                reply.add(shown, told, start + 1)
        return len(told)

    def _fill_one(self, node: Node, name: bytes, index: int, reply: Reply) -> None:
        if index < len(_DOTS):
            shown = node if name == b"." or node.parent is None else node.parent
            reply.add_unknown(name, shown.number, index + 1)
            return
        try:
            told = self._entry(node, name)
        except Elsewhere:
            reply.add_unknown(name, self._finder.closed(node, name).number, index + 1)
            return
        except OSError as problem:
            if problem.errno not in DAMAGE:
                raise
            # The others are listed, as on the disk itself; who wants to know more of this one is told the error.
            reply.add_unknown(name, UNTOLD, index + 1, mode=0)
            return
        if told is not None:
            reply.add([name], [told], index + 1)

    def waits(self, handle: int) -> bool:
        """Whether a reading may have to look into an avatar's git, which takes its time."""
        return self._tags.listed_in(self.handles[handle].node)

    def _names_in(self, node: Node) -> dict[bytes, int]:
        if self._tags.shown(node):
            return dict.fromkeys(self._tags.names(node), 0)
        with self._core.locked:
            self._core.steady(node)
            added = self._core.grafts.names_in(node.place)
            # After the look at the disk: what has left it since is found in the volume.
            self._core.settling.notice_kept(node)
        present = {} if node.identity is None else self._numbered(node)
        for name in added + self._tags.added_to(node, present):
            present.setdefault(name, 0)
        return present

    def _numbered(self, node: Node) -> dict[bytes, int]:
        """The names on the disk, which may be a million: nobody else waits for that."""
        with self._core.borrowed(node) as directory:
            present = names.numbered(directory)
        with self._core.locked:
            # A directory that was removed behind the mount has no names: it isn't empty.
            status = self._core.reaching.status(self._core.steady(node))
        if node.place.kind is Kind.ROOT and status is not None and not status.st_nlink:
            raise StoreUnreachable(ROOT_REMOVED)
        return present

    def _entry(self, parent: Node, name: bytes) -> Attributes | None:
        """None for a name that went away meanwhile, or that something foreign is mounted on."""
        try:
            if self._tags.concern(parent, name):
                return self._tags.listed(parent, name)
            with self._core.locked:
                return self._told(self._core.steady(parent), name)
        except Elsewhere:
            raise
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
        return self._lookups.enter(parent, name, found)

    def fsync(self, handle: int) -> None:
        """fsync(2) of the directory."""
        with self._core.locked:
            node = self._core.steady(self._opened(handle).node)
            if node.identity is None:
                return
            readable = names.open_directory_again(self._core.reaching.directory(node))
        try:
            os.fsync(readable)
        finally:
            os.close(readable)

    def release(self, handle: int) -> None:
        """Forget the listing."""
        with self._core.lock:
            self.handles.remove(handle)
        self._listings.drop(handle)
