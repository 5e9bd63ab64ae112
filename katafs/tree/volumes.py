"""Directories that are volumes: to make one makes the volume, to remove one removes it."""

import contextlib
import errno
import os
import stat

from katafs.config import Sandboxes
from katafs.errors import KatafsError
from katafs.kata_id import VolumeName, kata_volume
from katafs.namespace import Kind, Place
from katafs.rooted import inodes
from katafs.rooted.answer import answer
from katafs.tree.attributes import Attributes
from katafs.tree.core import Core
from katafs.tree.creation import Creation
from katafs.tree.finder import Finder
from katafs.tree.lookups import Lookups
from katafs.tree.nodes import Node
from katafs.tree.requests import Caller, Elsewhere, Found


class Volumes:
    """mkdir() and rmdir() of katas and of sandboxes. The tree's lock is never held while the store works."""

    def __init__(self, core: Core, finder: Finder, lookups: Lookups, creation: Creation) -> None:
        self._core = core
        self._finder = finder
        self._lookups = lookups
        self._creation = creation

    def made_by_mkdir(self, parent_number: int, name: bytes) -> VolumeName | None:
        """The volume that mkdir of this name makes; None where it makes an ordinary directory."""
        with self._core.locked:
            place = self._finder.place_of(self._core.node(parent_number), name)
        if place.kind is Kind.ALIAS and place.kata:
            return kata_volume(place.kata)
        if place.kind is Kind.SANDBOX and self._core.settings.sandboxes is not Sandboxes.AVATAR:
            return None
        return place.volume

    def removed_by_rmdir(self, parent_number: int, name: bytes) -> VolumeName | None:
        """The volume that rmdir of this name removes; None where it removes an ordinary directory."""
        with self._core.locked:
            return self._core.grafts.volume_at(self._finder.place_of(self._core.node(parent_number), name))

    def make(self, volume: VolumeName, parent_number: int, name: bytes, mode: int, caller: Caller) -> Attributes:
        """Make a volume where a directory is to be. Raises FileExistsError, or StoreUnreachable; Elsewhere where it is
        another part that has made it then."""
        core = self._core
        with core.locked:
            parent = core.changing(parent_number)
            if parent.place.kind is Kind.OUTER and core.legacy.outer_status(parent.place.outer) is not None:
                self._creation.backed(parent)
            parent_status = core.reaching.status(parent)
            self._refuse_taken(parent, name)
        core.store.create(volume)
        try:
            return self._entered(volume, parent, name, self._opened(volume, parent_status, mode, caller))
        except Elsewhere:
            raise
        except BaseException:
            # Made once more it would be EEXIST. One that isn't empty by now, or in use, stays.
            with contextlib.suppress(OSError, KatafsError):
                core.store.remove(volume)
            raise

    def _opened(self, volume: VolumeName, parent: os.stat_result | None, mode: int, caller: Caller) -> int:
        """A descriptor of a new volume's top, which is made what mkdir would have made."""
        descriptor = self._core.store.open(volume)
        try:
            _own(descriptor, parent, mode, caller)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _entered(self, volume: VolumeName, parent: Node, name: bytes, descriptor: int) -> Attributes:
        """The entry of a new volume, whose descriptor it takes over."""
        core = self._core
        with core.locked:
            try:
                self._parent_changed(parent)
                if (disk := core.owners.serving(volume)) != core.disk:
                    raise Elsewhere(disk)
                place = self._finder.place_of(parent, name)
                if place.kind is Kind.ALIAS:  # it was made there, and is where katas are
                    place = Place(Kind.KATA, place.outer, place.kata)
                status = os.fstat(descriptor)
                number = core.numbers.of_place(place) or core.numbers.of_inode(status)
            except BaseException:
                os.close(descriptor)
                raise
            return self._lookups.enter(parent, name, Found(place, volume, number, status, descriptor))

    def _refuse_taken(self, parent: Node, name: bytes) -> None:
        try:
            found = self._found(parent, name)
        except FileNotFoundError:
            return
        found.close()
        raise answer(errno.EEXIST, name)

    def remove(self, volume: VolumeName, parent_number: int, name: bytes) -> None:
        """Remove the empty volume that is a directory. Raises OSError(ENOTEMPTY), OSError(EBUSY), StoreUnreachable."""
        core = self._core
        with core.locked:
            parent = core.changing(parent_number)
            found = self._found(parent, name)
        try:
            core.legacy.refuse(found.piece)
            if core.grafts.names_in(found.place):
                raise answer(errno.ENOTEMPTY, name)
            core.store.remove(volume)
        except BaseException:
            found.close()
            raise
        with core.locked:
            core.hold(found)
            self._parent_changed(parent)

    def _found(self, parent: Node, name: bytes) -> Found:
        try:
            return self._finder.find(parent, name)
        except Elsewhere:  # then that part goes on with what was removed, as long as somebody uses it
            return self._finder.closed(parent, name)

    def _parent_changed(self, parent: Node) -> None:
        """A directory's mtime says when an entry came or went, in a flat layout and a split one alike."""
        if parent.identity is None:
            with contextlib.suppress(OSError):
                self._core.settling.notice_kept(parent)
        if parent.identity is not None:
            # Moved or replaced behind the tree meanwhile, or the disk is full, or there is no descriptor for it. The
            # volume was made or removed all the same, and what was done must not be told to have failed.
            with contextlib.suppress(OSError):
                inodes.touch_modified(self._core.reaching.directory(parent))


def _own(descriptor: int, parent: os.stat_result | None, mode: int, caller: Caller) -> None:
    """Make a new volume's top directory the caller's, as mkdir(2) does: a setgid parent hands on its group."""
    gid, mode = caller.gid, mode & 0o1777
    if parent is not None and parent.st_mode & stat.S_ISGID:
        gid, mode = parent.st_gid, mode | stat.S_ISGID
    inodes.set_owner(descriptor, caller.uid, gid)
    inodes.set_mode(descriptor, mode)
