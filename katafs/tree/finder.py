"""What a name in a directory stands for: a volume's top, an entry of a volume, or something that only volumes' names
call for."""

import contextlib
import errno
import os
import stat

from katafs.errors import StoreUnreachable
from katafs.kata_id import VolumeName
from katafs.namespace import PLAIN, PLAIN_BELOW, Kind, Place, child
from katafs.rooted import names
from katafs.rooted.answer import answer
from katafs.rooted.inodes import identity_of
from katafs.tree.core import Core
from katafs.tree.legacy import WITH_STRAYS
from katafs.tree.nodes import Node
from katafs.tree.requests import Found
from katafs.volumes.legacy_disk import Piece

_NAME_MAX = 255
"""Bytes of the longest name, where no volume's own file system says so (limits.h)."""


class Finder:
    """Finds and remembers. Every method is called with the tree's lock held."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def place_of(self, parent: Node, name: bytes) -> Place:
        """The place of a name in a directory."""
        return child(parent.place, name, self._core.settings.layout)

    def glimpse(self, parent: Node, name: bytes) -> Found | os.stat_result | None:
        """As `find`, but None for a name that isn't there, and only the status of something plain that is no directory,
        as `listed` needs it: most names are such, and all else that a `Found` has is known of them or of no use."""
        core = self._core
        if parent.identity is None or core.legacy.is_there or self.place_of(parent, name) is not PLAIN:
            try:
                return self.find(parent, name)
            except FileNotFoundError:
                return None
        looked = names.look_if_there(core.reaching.directory(parent), name)
        if looked is None:
            return None
        descriptor, status = looked
        if stat.S_ISDIR(status.st_mode):
            return self._looked(descriptor, status, PLAIN, parent.volume, parent.piece)
        os.close(descriptor)
        return status

    def find(self, parent: Node, name: bytes) -> Found:
        """What the name stands for. Raises FileNotFoundError, or a fault of the store."""
        if parent.place.kind in PLAIN_BELOW:
            return self._entry(parent, name, PLAIN)
        place = self.place_of(parent, name)
        if self._core.legacy.is_there and (stray := self._stray(parent, name, place)):
            return stray
        if place.kind is Kind.PLAIN:
            return self._entry(parent, name, place)
        try:
            volume = self._core.grafts.volume_at(place)
        except StoreUnreachable:
            held = self._held_meanwhile(parent, name, place)
            if held is None:
                raise  # for what isn't known is never called missing
            return held
        if volume is not None:
            return self._graft(place, volume)
        try:
            found = self._entry(parent, name, place)
        except FileNotFoundError:
            if self._core.grafts.calls_for(place):
                return self._virtual(parent, place)
            if self._core.legacy.is_there and place.kind is Kind.OUTER:
                return self._entry(parent, name, place)  # it may have left the disk between the two looks
            raise
        return found if self._shows(found) else self._virtual(parent, place)

    def _held_meanwhile(self, parent: Node, name: bytes, place: Place) -> Found | None:
        """The sandbox that a kata's own volume holds, while nobody can say whether it has a volume: it would have that
        instead, not as well."""
        if place.kind is Kind.SANDBOX:
            with contextlib.suppress(FileNotFoundError):
                return self._entry(parent, name, place)
        return None

    def top(self, parent: Node, name: bytes) -> Found:
        """The volume that a name in a directory of another part stands for. Raises OSError(ESTALE) where there is none
        any more: the kernel then looks the path up anew. Raises a fault of the store."""
        place = self.place_of(parent, name)
        volume = self._core.grafts.volume_at(place)
        if volume is None:
            raise answer(errno.ESTALE, name)
        descriptor = self._core.reaching.open_top(volume, name)
        status = names.status_or_close(descriptor)
        return Found(place, volume, self._core.numbers.by_name(place), status, descriptor)

    def _stray(self, parent: Node, name: bytes, place: Place) -> Found | None:
        """A stray of a legacy disk. Of one that has left it, what the kernel knows goes on in the root volume first."""
        legacy = self._core.legacy
        if parent.place.kind not in WITH_STRAYS:
            return None
        try:
            if piece := legacy.stray(parent.place.outer, name):
                return self._looked(*legacy.disk.look(piece), place, parent.volume, piece)
        except FileNotFoundError:
            pass  # between the two looks
        self._core.settling.settle(Piece(parent.place.outer, name))
        return None

    def _shows(self, found: Found) -> bool:
        """Whether an entry of a volume shows, which is closed else. Where volumes call for its place a directory does,
        for they add to it; so does anything at the place of an alias, which isn't listed and so must not hide what is.
        """
        if found.place.kind is Kind.ALIAS or (found.status is not None and stat.S_ISDIR(found.status.st_mode)):
            return True
        try:
            shows = not self._core.grafts.calls_for(found.place)
        except BaseException:
            found.close()
            raise
        if not shows:
            found.close()
        return shows

    def closed(self, parent: Node, name: bytes) -> Found:
        """What stands in a listing for a volume that exists and can't be served."""
        place = self.place_of(parent, name)
        return Found(place, place.volume, self._core.numbers.by_name(place), closed=True)

    def _graft(self, place: Place, volume: VolumeName) -> Found:
        core = self._core
        piece = core.legacy.piece_of(volume)
        # Opened anew each time: the directory that is kept may have been removed or replaced behind the mount.
        descriptor = core.reaching.open_volume(volume)
        return self._looked(descriptor, names.status_or_close(descriptor), place, volume, piece)

    def _entry(self, parent: Node, name: bytes, place: Place) -> Found:
        if parent.identity is None and not self._core.settling.notice_kept(parent):
            raise answer(errno.ENOENT if len(name) <= _NAME_MAX else errno.ENAMETOOLONG, name)
        descriptor, status = names.look(self._core.reaching.directory(parent), name)
        return self._looked(descriptor, status, place, parent.volume, parent.piece)

    def _looked(
        self, descriptor: int, status: os.stat_result, place: Place, volume: VolumeName | None, piece: Piece | None
    ) -> Found:
        """What a descriptor that was just opened is of."""
        number = None
        if place.kind in (Kind.OUTER, Kind.KATA) and stat.S_ISDIR(status.st_mode):
            number = self._core.numbers.of_place(place)
        number = number or self._numbered(descriptor, status)
        return Found(place, volume, number, status, descriptor, piece=piece)

    def _numbered(self, descriptor: int, status: os.stat_result) -> int:
        try:
            return self._core.numbers.of_inode(status)
        except OSError:
            os.close(descriptor)
            raise

    def _virtual(self, parent: Node, place: Place) -> Found:
        number = self._core.numbers.of_place(place) or self._core.numbers.of_virtual_avatar(place)
        return Found(place, parent.volume, number)

    def remember(self, parent: Node, name: bytes, found: Found) -> Node:
        """The node of what was found, which a reply is about to name; takes over its descriptor."""
        core = self._core
        identity = None if found.status is None else identity_of(found.status)
        node = core.nodes.known(found.number)
        if node is None and self._is_directory(found):
            node = core.nodes.revive(found.number)
        if node is None:
            node = Node(found.number, found.place, found.volume, parent, name, identity, self._is_directory(found))
            core.nodes.add(node)
        elif found.closed and node.identity is not None:
            return node  # what is known of one that can't be served now goes on, on a legacy disk or in a volume
        else:
            try:
                core.steady(node)
            except BaseException:
                found.close()
                raise
            self._move(node, parent, name, found, identity)
        if node.piece != found.piece:
            core.legacy.track(node, found.piece)
        if found.descriptor is not None and node.is_directory and node.held is None:
            core.descriptors.keep(node, found.descriptor)
            found.descriptor = None
        found.close()
        return node

    def listed(self, parent: Node, name: bytes, number: int, status: os.stat_result) -> Node:
        """The node of something plain, no directory, that was seen and has this number but isn't open."""
        core = self._core
        node = core.nodes.known(number)
        if not core.legacy.is_there:
            if node is None:
                node = Node(number, PLAIN, parent.volume, parent, name, identity_of(status), is_directory=False)
                core.nodes.add(node)
                return node
            if node.parent is parent and node.name == name and self.stays(node, parent, status):
                return node
        return self.remember(parent, name, Found(PLAIN, parent.volume, number, status, piece=parent.piece))

    @staticmethod
    def stays(node: Node, parent: Node, status: os.stat_result) -> bool:
        """Whether a node that has the name stands for the plain file there as it did."""
        return (
            node.place is PLAIN
            and not node.is_directory
            and node.volume == parent.volume
            and node.identity == identity_of(status)
        )

    def _move(self, node: Node, parent: Node, name: bytes, found: Found, identity: tuple[int, int] | None) -> None:
        """The number is known: the same inode under this or another name, or another inode that has taken it over."""
        if node.identity != identity or node.volume != found.volume:
            self._core.descriptors.drop(node)
            if found.place.kind is not Kind.OUTER:  # which is the same one whether the root volume has it or not
                node.replaced += 1
            if node.identity is not None and identity is not None:
                node.generation += 1
                if (held := node.let_go()) is not None:
                    os.close(held)
        elif not node.is_directory:
            self._core.descriptors.drop(node)
        if node.parent is not None and (node.name != name or node.parent is not parent):
            # The kernel may know the inode by both names.
            self._core.other_names.add(node.parent.number, node.name, self._core.settings.timeout_s)
        node.parent, node.name = parent, name
        node.place, node.volume, node.identity = found.place, found.volume, identity
        node.is_directory = self._is_directory(found)

    @staticmethod
    def _is_directory(found: Found) -> bool:
        return (
            found.place.kind not in (Kind.ALIAS, Kind.TAG)
            if found.status is None
            else stat.S_ISDIR(found.status.st_mode)
        )
