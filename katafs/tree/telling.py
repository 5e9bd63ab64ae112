"""What the kernel is told of a node, and how long it may keep that."""

import os
import stat

from katafs.config import TreeSettings
from katafs.kata_id import VolumeName
from katafs.namespace import PLAIN, Kind, alias_target
from katafs.tree import attributes
from katafs.tree.attributes import Attributes
from katafs.tree.grafts import Grafts
from katafs.tree.legacy import Legacy
from katafs.tree.nodes import Node
from katafs.volumes.store import VolumeStore

_CLOSED = stat.S_IFDIR
"""The mode of a directory whose volume can't be served: nobody's to read, so that it never shows as an empty one."""


class Telling:
    """Makes the attributes for replies. Whatever takes a node is called with the tree's lock held."""

    def __init__(
        self,
        store: VolumeStore,
        settings: TreeSettings,
        legacy: Legacy,
        grafts: Grafts,
        root: Node,
        root_status: os.stat_result,
    ) -> None:
        """`root_status` is what the root is like where there is no root volume."""
        self._store = store
        self._settings = settings
        self._legacy = legacy
        self._grafts = grafts
        self._root = root
        self._root_status = root_status

    def tell(self, node: Node, status: os.stat_result | None, *, closed: bool = False) -> Attributes:
        """A node's attributes for a reply, remembered as what the kernel knows."""
        timeout_s = self.timeout_of(node.volume)
        added = 0 if node.place is PLAIN else self._grafts.count_in(node.place)
        if status is None:
            return self._tell_virtual(node, added, timeout_s, closed=closed)
        return self.tell_backed(node, status, added, timeout_s)

    @staticmethod
    def tell_backed(node: Node, status: os.stat_result, added: int, timeout_s: float) -> Attributes:
        """The same of an inode in a volume, to which others add so many directories. One link is what a file system
        says that doesn't count a directory's: then they still aren't counted."""
        links = status.st_nlink + added if status.st_nlink > 1 else status.st_nlink
        return Attributes(node.number, node.generation, status, links, node.tell(status), timeout_s)

    def _tell_virtual(self, node: Node, added: int, timeout_s: float, *, closed: bool) -> Attributes:
        outer = self._legacy.outer_status(node.place.outer) if node.place.kind is Kind.OUTER else None
        model = outer or self.root_model()
        if node.place.kind is Kind.ALIAS and node.place.kata and not node.is_directory:
            size = len(alias_target(node.place.kata, self._settings.layout))
            return attributes.of_virtual(node.number, model, stat.S_IFLNK | 0o777, 1, size, timeout_s)
        mode = _CLOSED if closed else outer.st_mode if outer else attributes.directory_mode(model)
        links = attributes.VIRTUAL_LINKS + added
        return attributes.of_virtual(node.number, model, mode, links, 0, 0.0 if closed else timeout_s)

    def tell_unasked(self, number: int, known: Node | None, volume: VolumeName) -> Attributes:
        """The attributes of a volume's top whose disk isn't asked: until the kernel has asked for them, it is nobody's
        to enter, or what was told last."""
        guessed = (known and known.told) or attributes.NOBODYS_RIGHTS
        return attributes.of_unasked(number, guessed, self.root_model(), self.timeout_of(volume))

    def root_model(self) -> os.stat_result:
        """The status of the root volume's top now, or of `/` where there is no root volume."""
        held = self._root.held
        return self._root_status if held is None else os.fstat(held)

    def timeout_of(self, volume: VolumeName | None) -> float:
        """How many seconds the kernel may keep what it is told of a volume: none while a container uses it."""
        return 0.0 if volume is not None and self._store.in_use(volume) else self._settings.timeout_s
