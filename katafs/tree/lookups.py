"""Names looked up, and the entries that replies have of them: each counts as a lookup, which the kernel gives back."""

import errno
import os

from katafs.kata_id import VolumeName
from katafs.namespace import Kind
from katafs.rooted.answer import answer
from katafs.tree.attributes import Attributes
from katafs.tree.core import Core
from katafs.tree.finder import Finder
from katafs.tree.nodes import Node
from katafs.tree.requests import Found


class Lookups:
    """lookup(), and whatever else names an inode in its reply."""

    def __init__(self, core: Core, finder: Finder) -> None:
        self._core = core
        self._finder = finder
        self.keeps_absence = core.settings.negative_timeout_s > 0
        """Whether the kernel may ever keep that a name isn't there."""

    def lookup(self, parent_number: int, name: bytes) -> Attributes | None:
        """The entry of a name, if it is there. Raises a fault of the store."""
        with self._core.locked:
            parent = self._core.node(parent_number)
            found = self._finder.glimpse(parent, name)
            if found is None:
                return None
            if isinstance(found, Found):
                return self.enter(parent, name, found)
            return self.enter_plain(parent, name, found)

    def foreseen_top(self, parent: Node, name: bytes) -> tuple[VolumeName, Attributes]:
        """The volume that a name in a directory of another part stands for, which from now on is this part's; and what
        can be told of its top without its disk. Waits for nothing and counts nothing.

        Raises OSError(ESTALE) where it is another part's already."""
        core, place = self._core, self._finder.place_of(parent, name)
        if place.volume is None:
            raise answer(errno.ESTALE, name)
        number = core.numbers.by_name(place)
        told = core.telling.tell_unasked(number, core.nodes.known(number), place.volume)
        core.owners.take(place.volume, core.disk)
        core.foreseen[number] = parent, name
        return place.volume, told

    def lookup_top(self, parent: Node, name: bytes) -> Attributes:
        """The entry of a volume whose name is in a directory of another part. Raises as `Finder.top`."""
        with self._core.locked:
            return self.enter(parent, name, self._finder.top(parent, name))

    def absence_s(self, parent_number: int, name: bytes) -> float:
        """How many seconds the kernel may keep that the name isn't there: none where a volume or git may bring it."""
        longest_s = self._core.settings.negative_timeout_s
        with self._core.locked:
            parent = self._core.nodes.find(parent_number)
            if self._finder.place_of(parent, name).kind is not Kind.PLAIN:
                return 0.0
            lasting_s = min(longest_s, self._core.telling.timeout_of(parent.volume))
            return lasting_s if lasting_s and self._core.other_names.add(parent_number, name, lasting_s) else 0.0

    def enter(self, parent: Node, name: bytes, found: Found) -> Attributes:
        """Count a lookup of what was found and answer with it."""
        node = self._finder.remember(parent, name, found)
        try:
            told = self._core.telling.tell(node, found.status, closed=found.closed)
        except BaseException:
            self._core.forget(node.number, 0)  # unless the kernel knows it: nobody else would
            raise
        node.lookups += 1
        return told

    def enter_plain(self, parent: Node, name: bytes, status: os.stat_result) -> Attributes:
        """The same of something plain, no directory, that has this status."""
        node = self._finder.listed(parent, name, self._core.numbers.of_inode(status), status)
        try:
            told = self._core.telling.tell_backed(node, status, 0, self._core.telling.timeout_of(node.volume))
        except BaseException:
            self._core.forget(node.number, 0)  # as above
            raise
        node.lookups += 1
        return told
