"""How a node's bytes are reached: descriptors of its directory or of its own inode, which is checked to be the one
that was seen last."""

import errno
import os
from weakref import WeakKeyDictionary

from katafs.kata_id import VolumeName
from katafs.rooted import files, names
from katafs.rooted.answer import answer
from katafs.rooted.inodes import identity_of
from katafs.tree.descriptors import Descriptors
from katafs.tree.legacy import Legacy
from katafs.tree.nodes import DEEPEST, Node
from katafs.tree.owners import Owners
from katafs.tree.requests import Elsewhere, Reached
from katafs.volumes.disks import Disk
from katafs.volumes.store import VolumeStore


class Reaching:
    """Opens what nodes stand for. Every method is called with the tree's lock held."""

    def __init__(
        self,
        store: VolumeStore,
        disk: Disk | None,
        owners: Owners,
        descriptors: Descriptors,
        legacy: Legacy,
    ) -> None:
        """`disk` is the one whose volumes these are, None for the root volume's."""
        self._store = store
        self._disk = disk
        self._owners = owners
        self._descriptors = descriptors
        self._legacy = legacy
        self._overtaken: WeakKeyDictionary[Node, tuple[int, int]] = WeakKeyDictionary()
        """Open files, and which inode was found under the name of each."""

    def directory(self, node: Node) -> int:
        """An O_PATH descriptor of a node's directory, good until the request ends.

        Raises OSError(EROFS) for one that no volume holds, OSError(ESTALE) where it isn't where it was seen last."""
        if node.identity is None:
            raise answer(errno.EROFS)
        kept = self._descriptors.get(node) if node.held is None else node.held
        if kept is not None:
            return kept
        chain = [node]
        while not (chain[-1].is_grafted() or chain[-1].is_stray()):
            above = chain[-1].parent
            if above is None or len(chain) > DEEPEST:
                raise answer(errno.ESTALE)
            kept = self._kept(above)
            if kept is not None:
                return self._descend(chain, kept)
            chain.append(above)
        return self._descend(chain, -1)  # such a top is opened below nothing

    def _descend(self, chain: list[Node], descriptor: int) -> int:
        """Open each node of a chain, the last one first, below the one before. Those on the way are kept only while
        there is room: a path may be deeper than the descriptors that this process may have."""
        passed: int | None = None
        try:
            for each in reversed(chain):
                opened = self._open_directory(each, descriptor)
                if passed is not None:
                    os.close(passed)
                    passed = None
                descriptor = opened
                if each is chain[0] or self._descriptors.has_room():
                    self._descriptors.keep(each, opened)
                else:
                    passed = opened
        finally:
            if passed is not None:
                os.close(passed)
        return descriptor

    def _kept(self, node: Node) -> int | None:
        return self._descriptors.get(node) if node.held is None else node.held

    def open_volume(self, volume: VolumeName) -> int:
        """A new O_PATH descriptor of a volume's top. Raises Elsewhere where another part serves it, or as the store."""
        disk = self._owners.serving(volume)
        if disk != self._disk:
            raise Elsewhere(disk)
        return self._store.open(volume)

    def open_top(self, volume: VolumeName, name: bytes) -> int:
        """The same where it has to be this part's. Raises OSError(ESTALE) where another disk was mounted just now: the
        kernel then looks the path up anew."""
        try:
            return self.open_volume(volume)
        except Elsewhere:
            raise answer(errno.ESTALE, name) from None

    def _open_directory(self, node: Node, parent: int) -> int:
        if not node.is_grafted() or node.volume is None:
            descriptor, _ = self._open(node, parent)
            return descriptor
        descriptor = self.open_top(node.volume, node.name)
        # A volume that was removed and made anew behind the mount is another directory: who has the old one open, or
        # works in it, was let into that.
        return self._checked(node, descriptor, names.status_or_close(descriptor))

    def _open(self, node: Node, parent: int) -> tuple[int, os.stat_result]:
        if node.piece is not None and node.is_stray():
            descriptor, status = self._legacy.disk.look(node.piece)
        elif node.is_directory:
            descriptor, status = names.look(parent, node.name)  # where something is mounted by now, it may hang
        else:
            return names.look_for(parent, node.name, node.identity)
        return self._checked(node, descriptor, status), status

    @staticmethod
    def _checked(node: Node, descriptor: int, status: os.stat_result) -> int:
        """The descriptor, if it is of the node's inode. Raises OSError(ESTALE) for another's."""
        if identity_of(status) != node.identity:
            os.close(descriptor)
            raise answer(errno.ESTALE, node.name)
        return descriptor

    def reached(self, node: Node) -> Reached:
        """A descriptor of the node's inode, O_PATH or not, for the time of one operation.

        Raises OSError(EROFS) for what no volume holds, OSError(ESTALE) where another inode has taken the name."""
        return Reached(*self.reach(node))

    def reach(self, node: Node) -> tuple[int, os.stat_result | None]:
        """The same descriptor bare, and what it was when it was opened, if that was for this: then it is the caller's
        to close."""
        if node.is_directory:
            return self.directory(node), None
        if node.handles:
            return node.handles[-1], None
        kept = self._kept(node)
        return (kept, None) if kept is not None else self._open_named(node)

    def refuse_overtaken(self, node: Node) -> None:
        """Raises OSError(ESTALE) where the name of an open file has become another's behind the mount: the kernel then
        looks the path up anew. Once for each other: by /proc/self/fd the same is asked for again, and is what is open.
        """
        parent = node.parent
        if node.held is not None or node.piece is not None or node.identity is None or parent is None:
            return
        try:
            status = files.status_of(self.directory(parent), node.name)
        except OSError as problem:
            if problem.errno not in (errno.ENOENT, errno.ESTALE):
                raise
            return  # its directory has lost its own name
        if status is None or (other := identity_of(status)) in (node.identity, self._overtaken.get(node)):
            return
        self._overtaken[node] = other
        raise answer(errno.ESTALE, node.name)

    def _open_named(self, node: Node) -> tuple[int, os.stat_result]:
        parent = node.parent
        if parent is None or node.identity is None:
            raise answer(errno.EROFS)
        try:
            if node.piece is None:
                return names.look_for(self.directory(parent), node.name, node.identity)
            return self._open(node, -1 if node.is_stray() else self.directory(parent))
        except FileNotFoundError:
            # The name went away behind the mount. ESTALE makes the kernel look the path up anew; ENOENT would not.
            raise answer(errno.ESTALE, node.name) from None

    def status(self, node: Node) -> os.stat_result | None:
        """The node's status now; None for what no volume holds."""
        if node.identity is None:
            return None
        if node.is_directory:
            status = os.fstat(self.directory(node))
        elif (by_name := self._status_by_name(node)) is not None:
            return by_name
        else:
            with self.reached(node) as descriptor:
                status = os.fstat(descriptor)
        if status.st_nlink == 0 and node.held is None and not node.handles:
            self._descriptors.drop(node)
            node.vanish()
            raise answer(errno.ESTALE, node.name)
        return status

    def _status_by_name(self, node: Node) -> os.stat_result | None:
        """The same of a file that isn't open, if it still has its name; quicker than to open it for that. Its name may
        have become another file's, or a mount point, but not without the identity telling so."""
        if node.handles or node.parent is None or node.parent.identity is None:
            return None
        if self._kept(node) is not None or node.is_stray():
            return None
        try:
            status = files.status_of(self.directory(node.parent), node.name)
        except FileNotFoundError:
            return None  # its volume is gone: what that means is said where it is opened
        return status if status is not None and identity_of(status) == node.identity else None
