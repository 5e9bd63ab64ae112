"""Which part of a tree serves a volume: that of the disk it is on. Where another disk was mounted on it meanwhile it is
the part from which the kernel knows something in it, as long as it does. So no inode is in two parts.
"""

import errno
from typing import TYPE_CHECKING

from katafs.kata_id import VolumeName
from katafs.rooted.answer import answer
from katafs.volumes.disks import Disk
from katafs.volumes.store import VolumeStore

if TYPE_CHECKING:
    from katafs.tree.core import Core


_FEW = 10_000
"""With fewer volumes nobody looks which of them are known no more."""


class Owners:
    """The owners of one tree's volumes. Each step is one look at a table, since parts have locks of their own."""

    def __init__(self, store: VolumeStore, home: "Core") -> None:
        """`home` is the part of the root volume's disk."""
        self._store = store
        self._home = home
        self._by_volume: dict[VolumeName, Core] = {}
        """Home's volumes are here only where another disk was mounted on them meanwhile."""
        self._met: set[VolumeName] = set()
        """All of which home may have nodes: it has opened them. Not only until the kernel forgets their tops: an inode
        below may be watched (inotify(7)), and stay known without any directory above it."""
        self._most_met = _FEW

    def serving(self, volume: VolumeName) -> Disk | None:
        """The disk whose part serves the volume; None is home's."""
        owner = self._by_volume.get(volume)
        if owner is not None:
            return owner.disk
        disk = self._store.disk_of(volume)
        if disk is None:
            self._met.add(volume)
            return None
        if volume not in self._met or not any(node.volume == volume for node in self._home.nodes.all()):
            return disk
        return self._by_volume.setdefault(volume, self._home).disk

    def met(self, volume: VolumeName) -> None:
        """Home has nodes of the volume without having opened it: those of a piece that was converted."""
        self._met.add(volume)

    def take(self, volume: VolumeName, part: "Core") -> None:
        """Have the part serve the volume until its top is forgotten. Raises OSError(ESTALE) where another does."""
        if part is self._home:
            return
        if self._by_volume.setdefault(volume, part).disk != part.disk:
            raise answer(errno.ESTALE)
        self._by_volume[volume] = part

    def give_up(self, volume: VolumeName, part: "Core") -> None:
        """The kernel has forgotten the volume's top, which it knew from the part. If that is home, its lock is held."""
        if part is self._home and len(self._met) > self._most_met:
            self._met = {node.volume for node in part.nodes.all() if node.volume is not None}
            self._most_met = max(_FEW, 2 * len(self._met))
        if self._by_volume.get(volume) is part:
            del self._by_volume[volume]

    def owner(self, volume: VolumeName, default: "Core") -> "Core":
        """The part that serves the volume as far as it was decided."""
        return self._by_volume.get(volume, default)
