"""What all operations of the tree share: the tables, the one lock over them, and the nodes of a request."""

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import NamedTuple

from katafs.config import TreeSettings
from katafs.errors import StoreUnreachable
from katafs.kata_id import ROOT_VOLUME
from katafs.namespace import ROOT
from katafs.rooted.caller import Creator
from katafs.rooted.inodes import identity_of
from katafs.tree.descriptors import Descriptors, Reserve
from katafs.tree.grafts import Grafts
from katafs.tree.legacy import Legacy
from katafs.tree.nodes import ROOT_NUMBER, Node, NodeTable
from katafs.tree.numbers import Numbers
from katafs.tree.other_names import OtherNames
from katafs.tree.owners import Owners
from katafs.tree.reaching import Reaching
from katafs.tree.requests import Found, Locked
from katafs.tree.settling import Settling
from katafs.tree.telling import Telling
from katafs.volumes.disks import Disk
from katafs.volumes.legacy_store import Unasked
from katafs.volumes.store import VolumeStore

ROOT_REMOVED = f"the root volume {ROOT_VOLUME} was removed while it was mounted: restore it, and mount again"
"""The fault of a tree whose top can't be changed any more, nor listed: what is restored, it would not show."""


class Part(NamedTuple):
    """What makes a state that of a part of a tree: the volumes on another disk than the root volume."""

    home: "Core"
    """The state of the tree itself: its root and its inode numbers are the part's."""
    disk: Disk
    first_handle: int
    """Its handles begin here, above those of the others."""


class Core:
    """The state of a tree, or of the part of one that is on another disk than its root volume."""

    def __init__(
        self,
        store: VolumeStore,
        settings: TreeSettings,
        legacy: Legacy,
        part: Part | None,
    ) -> None:
        """Make the root volume if it isn't there and the tree may be written. Raises KatafsError."""
        self.disk = None if part is None else part.disk
        """The disk whose volumes these are; None for the root volume's."""
        self.first_handle = 1 if part is None else part.first_handle
        self.store = store
        self.legacy = legacy
        self.settings = settings
        self.lock = threading.RLock()
        """Covers the node table, the kept descriptors, the numbers and every field of a node. It is never held while
        an engine is waited for or a file is synced."""
        self.creator = Creator()
        self.grafts = Grafts(store, settings.layout, legacy)
        self.reserve = Reserve()
        self.descriptors = Descriptors(settings.open_directories, self.reserve)
        self.other_names = OtherNames()
        self.locked = Locked(self.lock, self.descriptors, legacy)
        """Holds the tree's lock for one request, in a `with`."""
        if part is None:
            root_descriptor = self._open_root()
            self.root_status = legacy.top_status() if root_descriptor is None else os.fstat(root_descriptor)
            self.nodes = NodeTable(self._root(root_descriptor))
            self.numbers = Numbers(self.root_status.st_dev)
            self.owners = Owners(store, self.nodes)
            self.foreseen: dict[int, tuple[Node, bytes]] = {}
            """The directories and names of the tops that the kernel was told of unasked. Shared by the parts."""
        else:
            self.owners, self.foreseen = part.home.owners, part.home.foreseen
            self.root_status, self.numbers = part.home.root_status, part.home.numbers
            self.nodes = NodeTable(part.home.nodes.root, knows_root=False)
        self.reaching = Reaching(store, self.disk, self.owners, self.descriptors, legacy)
        self.settling = Settling(legacy, self.owners, self.numbers, self.descriptors, self.reaching)
        self.telling = Telling(store, settings, legacy, self.grafts, self.nodes.root, self.root_status)
        self.node = (lambda number: self.steady(self.nodes.find(number))) if legacy.is_there else self.nodes.find
        """The node that a request is about, by its number. Raises OSError(ESTALE) for one that isn't in use."""
        self.changes = 0
        """Counts the requests that may have changed something. What was looked at without the lock is as it was if none
        came since."""

    def _open_root(self) -> int | None:
        if not self.store.exists(ROOT_VOLUME):
            if self.settings.read_only:
                return None
            self.legacy.keep_outer("")
            try:
                self.store.create(ROOT_VOLUME)
            except FileExistsError:
                pass
            except OSError as refused:
                text = f"the root volume {ROOT_VOLUME} can't be made in {self.store.url}: {refused.strerror}"
                raise StoreUnreachable(text) from refused
        try:
            return self.store.open(ROOT_VOLUME)
        except FileNotFoundError as gone:
            raise StoreUnreachable(f"the root volume {ROOT_VOLUME} was removed while it was opened") from gone

    def _root(self, descriptor: int | None) -> Node:
        root = Node(ROOT_NUMBER, ROOT, None, None, b"", None, is_directory=True)
        if descriptor is not None:
            root.volume, root.identity, root.held = ROOT_VOLUME, identity_of(self.root_status), descriptor
        return root

    def close(self) -> None:
        """Close every descriptor."""
        with self.lock:
            for node in self.nodes.all():
                if (held := node.let_go()) is not None:
                    node.handles.append(held)
                while node.handles:
                    os.close(node.handles.pop())
            self.descriptors.close()

    # The nodes of a request

    def steady(self, node: Node) -> Node:
        """The node, which stays where it is until the request ends: what was converted meanwhile is settled first."""
        if node.piece is not None:
            if not self.legacy.hold(node.piece):
                self.settling.settle(node.piece)
        elif self.legacy.is_there:
            self.settling.notice_kept(node)
        return node

    def ask(self, first: Unasked) -> None:
        """Ask the store what it was `Unasked` for, and settle what waited for that. Raises StoreUnreachable or Unasked.

        Called without the tree's lock, but where something was done already."""
        self.legacy.store.ask(first.volume)
        if first.piece is not None:
            with self.locked:
                if not self.legacy.disk.stands(first.piece):  # it may have come back meanwhile
                    self.settling.settle(first.piece, asked=True)

    def changing(self, number: int) -> Node:
        """The node that a request is to change. Raises Unconverted for one on a legacy disk."""
        node = self.node(number)
        if node.piece is not None:
            self.legacy.refuse(node.piece)
        self.changes += 1
        return node

    @contextlib.contextmanager
    def borrowed(self, node: Node) -> Iterator[int]:
        """A descriptor of a node's directory for work that takes its time, without the tree's lock."""
        with self.locked:
            descriptor = os.dup(self.reaching.directory(self.steady(node)))
            piece = node.piece
            if piece is not None:
                self.legacy.disk.locks.hold(piece.key)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
            if piece is not None:
                with self.lock:
                    self.legacy.disk.locks.release(piece.key)

    # Forgetting

    def forget(self, number: int, count: int) -> int | None:
        """Take back lookups; after the last of them nothing of the inode is kept. The descriptor that it was held by,
        to be closed without the lock: the disk frees the content then, and may have more to write before."""
        node = self.nodes.forget(number, count)
        if node is None:
            return None
        if node.is_grafted() and node.volume is not None and self.disk is None:
            self.owners.give_up(node.volume, self.disk)
        self.descriptors.drop(node)
        self.numbers.drop(number)
        if node.piece is not None:
            self.legacy.track(node, None)
        return node.let_go()

    def hold(self, found: Found) -> None:
        """Take over the descriptor of what was found by a name that was removed or replaced since. It asks the disk
        nothing: an error here would tell of a failure where all is done.

        While the kernel knows the inode, somebody may still use it, and its number must not come to mean another. Where
        other names remain, the next lookup of one of them finds it, and the descriptor is only kept as others are."""
        node, descriptor, status = self.nodes.known(found.number), found.descriptor, found.status
        if descriptor is None or status is None:
            return
        if node is None or node.held is not None or node.identity != identity_of(status):
            # In the last case another inode has the number already: a kata that was made again meanwhile.
            os.close(descriptor)
        elif found.is_last_name():
            self.descriptors.drop(node)
            if self.reserve.has(descriptor) and not node.handles:
                # Better that who still uses it has an error than that everybody has EMFILE.
                os.close(descriptor)
                node.vanish()
            else:
                node.hold(descriptor)
        else:
            self.descriptors.keep(node, descriptor)
