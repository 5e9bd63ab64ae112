"""Making names: what they may be made of, in whose name, and where a directory has to be made first."""

import contextlib
import errno
import os
import stat
from collections.abc import Callable

from katafs.namespace import PLAIN, PLAIN_BELOW, Kind
from katafs.rooted import files, names
from katafs.rooted.answer import answer
from katafs.rooted.caller import granted
from katafs.rooted.inodes import identity_of
from katafs.tree.attributes import Attributes, directory_mode
from katafs.tree.core import Core
from katafs.tree.finder import Finder
from katafs.tree.legacy import WITH_STRAYS
from katafs.tree.lookups import Lookups
from katafs.tree.nodes import Node
from katafs.tree.requests import Caller, Found
from katafs.volumes.legacy_store import Unasked


class Creation:
    """mknod(), symlink(), link() and mkdir() inside a volume."""

    def __init__(self, core: Core, finder: Finder, lookups: Lookups) -> None:
        self._core = core
        self._finder = finder
        self._lookups = lookups

    def enter_made(self, parent: Node, name: bytes, status: os.stat_result) -> Attributes:
        """The entry of a file that was just made there, which counts as a lookup."""
        try:  # as in _enter_new
            return self._enter_made(parent, name, status)
        except Unasked as first:
            self._core.ask(first)
            return self._enter_made(parent, name, status)

    def _enter_made(self, parent: Node, name: bytes, status: os.stat_result) -> Attributes:
        if parent.place.kind in PLAIN_BELOW or (place := self._finder.place_of(parent, name)) is PLAIN:
            return self._lookups.enter_plain(parent, name, status)
        return self._lookups.enter(
            parent, name, Found(place, parent.volume, self._core.numbers.of_inode(status), status)
        )

    def mknod(self, parent_number: int, name: bytes, mode: int, device: int, caller: Caller) -> Attributes:
        """Make a file, FIFO, socket or device node."""

        def make(at: int) -> None:
            names.make_node(at, name, granted(mode, at, caller.uid, caller.gid, caller.pid), device)

        return self._make(parent_number, name, caller, stat.S_IFMT(mode), make)

    def symlink(self, parent_number: int, name: bytes, target: bytes, caller: Caller) -> Attributes:
        """Make a symbolic link."""
        return self._make(parent_number, name, caller, stat.S_IFLNK, lambda at: names.make_symlink(at, name, target))

    def mkdir(self, parent_number: int, name: bytes, mode: int, caller: Caller) -> Attributes:
        """Make a directory inside a volume."""
        return self._make(parent_number, name, caller, stat.S_IFDIR, lambda at: names.make_directory(at, name, mode))

    def _make(
        self, parent_number: int, name: bytes, caller: Caller, kind: int, make: Callable[[int], None]
    ) -> Attributes:
        with self._core.locked:
            parent = self._core.changing(parent_number)
            directory = self.writable(parent, name)
            with self._core.creator.acting_as(caller.uid, caller.gid):
                make(directory)
            return self._enter_new(parent, name, kind)

    def unmake(self, parent: Node, name: bytes, made: tuple[int, int] | int) -> None:
        """Take away again what was made just now where its maker can't be told of it, for want of a descriptor maybe,
        which to make it took none: made once more it would be EEXIST. `made` is its st_dev and st_ino, or its kind
        where they aren't known: what has taken its name since stays, if that is another or has content."""
        with contextlib.suppress(OSError):
            directory = self._core.reaching.directory(parent)
            there = files.status_of(directory, name)
            if there is None or made not in (identity_of(there), stat.S_IFMT(there.st_mode)):
                return
            if stat.S_ISDIR(there.st_mode):
                names.remove_directory(directory, name)
            elif made != stat.S_IFREG or not there.st_size:
                names.remove(directory, name)

    def _enter_new(self, parent: Node, name: bytes, made: tuple[int, int] | int) -> Attributes:
        """The entry of what was made just now, whatever has to be asked for first: to make it again would fail. It may
        have got the number of an inode that has left a legacy disk."""
        try:
            try:
                return self._lookups.enter(parent, name, self._finder.find(parent, name))
            except Unasked as first:
                self._core.ask(first)
                return self._lookups.enter(parent, name, self._finder.find(parent, name))
        except BaseException:
            self.unmake(parent, name, made)
            raise

    def link(self, number: int, parent_number: int, name: bytes) -> Attributes:
        """Give an inode another name. Raises OSError(EXDEV) across volumes."""
        with self._core.locked:
            node, parent = self._core.changing(number), self._core.changing(parent_number)
            if node.volume != parent.volume or node.identity is None:
                raise answer(errno.EXDEV, name)
            directory = self.writable(parent, name)
            with self._core.reaching.reached(node) as descriptor:
                names.make_link(descriptor, directory, name)
            return self._enter_new(parent, name, node.identity)

    def writable(self, parent: Node, name: bytes) -> int:
        """The descriptor of a directory in which `name` may be made as an ordinary entry.

        Raises FileExistsError where a volume already gives the name a meaning."""
        if parent.place.kind not in PLAIN_BELOW and self._has_meaning(parent, name):
            raise answer(errno.EEXIST, name)
        return self.backed(parent)

    def _has_meaning(self, parent: Node, name: bytes) -> bool:
        grafts, place = self._core.grafts, self._finder.place_of(parent, name)
        if place.kind is not Kind.PLAIN and (grafts.volume_at(place) is not None or grafts.calls_for(place)):
            return True
        return parent.place.kind in WITH_STRAYS and self._core.legacy.stray(parent.place.outer, name) is not None

    def backed(self, node: Node) -> int:
        """The descriptor of a directory, which is made first if only volumes' names call for it.

        Raises OSError(EROFS) where no volume could hold it: in a kata of which only avatars' volumes exist."""
        if node.identity is None:
            self._back(node)
        return self._core.reaching.directory(node)

    def _back(self, node: Node) -> None:
        parent = node.parent
        if node.place.kind not in (Kind.OUTER, Kind.AVATAR) or parent is None or parent.identity is None:
            raise answer(errno.EROFS, node.name)
        if node.place.kind is Kind.OUTER:
            self._core.legacy.keep_outer(node.place.outer)
        model = self._core.telling.root_model()
        directory = self._core.reaching.directory(parent)
        with (
            contextlib.suppress(FileExistsError),
            self._core.creator.acting_as(model.st_uid, model.st_gid),
        ):
            names.make_directory(directory, node.name, stat.S_IMODE(directory_mode(model)))
        self._core.settling.adopt(node)
