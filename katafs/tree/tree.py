"""The file system as one object: each group of operations, over one state."""

import contextlib
import dataclasses
import itertools
import os
import threading
from collections.abc import Sequence

from katafs.config import TreeSettings
from katafs.kata_id import KataId, VolumeName
from katafs.namespace import kata_of
from katafs.tree.core import Core, Part
from katafs.tree.creation import Creation
from katafs.tree.directories import Directories
from katafs.tree.figures import Figures, figures_of
from katafs.tree.files import Files
from katafs.tree.finder import Finder
from katafs.tree.inodes import Inodes
from katafs.tree.kept import Kept, kept_of
from katafs.tree.legacy import Legacy, Mover, NoLegacy
from katafs.tree.lookups import Lookups
from katafs.tree.nodes import DEEPEST, Node
from katafs.tree.removal import Removal
from katafs.tree.surplus import Surplus
from katafs.tree.tags import Tags, TagSource
from katafs.tree.volumes import Volumes
from katafs.volumes.disks import Disk
from katafs.volumes.legacy_disk import Piece
from katafs.volumes.legacy_store import LegacyStore, Unasked
from katafs.volumes.store import Used, VolumeStore

_HANDLES_SHIFT = 40
"""A part has so many handles, as a power of two: they are told apart from those of the other parts."""
_SHARE = 8
"""A part on another disk keeps this part of the directories' descriptors that the root volume's keeps."""


class Tree:
    """A store's volumes as one tree of inodes. Those on other disks than the root volume are parts of their own, with
    locks of their own, so that one whose disk hangs holds up only itself: see `on`."""

    def __init__(
        self,
        store: VolumeStore,
        settings: TreeSettings,
        tag_source: TagSource | None = None,
        mover: Mover | None = None,
        *,
        part: Part | None = None,
    ) -> None:
        """Opens, and if need be makes, the root volume. Raises KatafsError where the store doesn't let it.

        Without a source of tags there are none, whatever the settings say. A store with a legacy disk needs a mover."""
        legacy: Legacy = NoLegacy()
        if isinstance(store, LegacyStore) and mover is not None:
            legacy = Legacy(store, mover, settings.convert)
        self.converts = legacy.is_there
        """Whether there is a legacy disk, of which what is to be changed is `Unconverted`."""
        self._tag_source = tag_source
        self._parts: dict[Disk, Tree] = {}
        """Those on other disks. To look for one is one step."""
        self._parting = threading.Lock()
        """Covers their making."""
        self._part_numbers = itertools.count(1)
        self._core = Core(store, settings, legacy, part)
        finder = Finder(self._core)
        self.lookups = Lookups(self._core, finder)
        self.creation = Creation(self._core, finder, self.lookups)
        self.volumes = Volumes(self._core, finder, self.lookups, self.creation)
        self.removal = Removal(self._core, finder, self.creation)
        self.files = Files(self._core, finder, self.creation)
        self.tags = Tags(self._core, finder, self.lookups, self.files, tag_source)
        self.directories = Directories(self._core, finder, self.lookups, self.tags)
        self.inodes = Inodes(self._core, self.creation, self.files)
        self.surplus = Surplus(self._core)

    # Its parts

    def on(self, disk: Disk) -> "Tree":
        """The part on another disk."""
        core = self._core
        with self._parting:
            part = self._parts.get(disk)
            if part is None:
                directories = max(1, core.settings.open_directories // _SHARE)
                settings = dataclasses.replace(core.settings, open_directories=directories)
                new = Part(core, disk, next(self._part_numbers) << _HANDLES_SHIFT)
                part = self._parts[disk] = Tree(core.store, settings, self._tag_source, part=new)
            return part

    def node(self, number: int) -> Node:
        """A node, to be told to another part. Raises OSError(ESTALE) for a number that isn't in use."""
        return self._core.nodes.find(number)

    def disk_of(self, volume: VolumeName) -> Disk | None:
        """The disk that a volume is on; None for the root volume's."""
        return self._core.store.disk_of(volume)

    def knows(self, number: int) -> bool:
        """Whether the kernel knows an inode of this number from this part."""
        return self._core.nodes.known(number) is not None

    def known_of(self, forgotten: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Those of inode numbers with counts that the kernel knows from this part."""
        with self._core.lock:  # what a listing tells of is known once that is done
            return [each for each in forgotten if self.knows(each[0])]

    def is_unused(self) -> bool:
        """Whether the kernel knows nothing of this part."""
        return not len(self._core.nodes) and not self.files.handles and not self.directories.handles

    def leave(self, disk: Disk) -> None:
        """Have no part on a disk any more."""
        with self._parting:
            part = self._parts.pop(disk, None)
        if part is not None:
            part.close()

    def give_up(self, volume: VolumeName, number: int) -> None:
        """The kernel has forgotten a volume's top that this part was asked to tell of (`Lookups.foreseen_top`)."""
        self._core.owners.give_up(volume, self._core.disk)
        self._core.foreseen.pop(number, None)

    # What is known of its inodes

    def volume_of(self, number: int) -> VolumeName | None:
        """The volume that an inode is in; None for one in no volume, or one that the kernel doesn't know."""
        node = self._core.nodes.known(number)
        return None if node is None else node.volume

    def is_live(self, node: Node) -> bool:
        """Whether others may change what a node stands for at any time, so that nothing of it is to be kept."""
        return self._core.telling.timeout_of(node.volume) == 0

    def forget(self, forgotten: Sequence[tuple[int, int]]) -> None:
        """Take back lookups: inode numbers with counts."""
        forget = self._core.forget
        with self._core.lock:
            held = [descriptor for each in forgotten if (descriptor := forget(*each)) is not None]
        for descriptor in held:
            with contextlib.suppress(OSError):  # of what was written to a removed file: nobody is there to hear it
                os.close(descriptor)
        self.surplus.forgotten.set()

    def convert(self, piece: Piece) -> None:
        """Convert what `Unconverted` named; it takes its time. Raises KatafsError or OSError where that failed."""
        legacy = self._core.legacy
        try:
            legacy.mover.convert(piece)
        except FileNotFoundError:
            # Somebody else has converted it and removed or renamed it since: asked again, the tree says what is there.
            if legacy.disk.stands(piece):
                raise

    def ask(self, first: Unasked) -> None:
        """Ask the store what it was `Unasked` for; it takes its time. Raises StoreUnreachable, or Unasked."""
        self._core.ask(first)

    def leave_as_it_is(self, piece: Piece) -> None:
        """Let a piece that couldn't be converted be read where it is."""
        self._core.legacy.left_as_they_are.add(piece)

    def when_used(self, call: Used) -> None:
        """From now on make this call, in any thread, when a container has mounted a volume that none had: the kernel is
        let keep nothing more of it."""
        self._core.store.when_used(call)

    def kept_of(self, volume: VolumeName) -> Kept:
        """What the kernel may keep of a volume from before it came into use."""
        disk = self._core.owners.decided(volume)
        part = None if disk is None else self._parts.get(disk)
        return kept_of([each._core for each in (self, part) if each is not None], volume)  # noqa: SLF001  # of this class

    def figures(self) -> Figures:
        """How much of everything there is now. It may wait for the store's disk."""
        parts = (self, *self._parts.copy().values())
        return figures_of([(part._core, part.files, part.directories) for part in parts])  # noqa: SLF001  # of this class

    def path_of(self, number: int) -> bytes:
        """The path by which the kernel found an inode last, from the top: `/123456789A/lion`; `/` for the top itself.

        Raises OSError(ESTALE) for a number that isn't in use."""
        parts = (self, *self._parts.copy().values())
        names: list[bytes] = []
        # Without a lock, for which a hanging disk could make this wait: what moves meanwhile may be told half way.
        knowing = next((part for part in parts if part.knows(number)), None)
        if knowing is None and (foreseen := self._core.foreseen.get(number)):
            node, name = foreseen
            names.append(name)
        else:
            node = (knowing or self).node(number)
        while node.parent is not None and len(names) <= DEEPEST:
            names.append(node.name)
            node = node.parent
        return b"/" + b"/".join(reversed(names))

    def kata_of(self, path: bytes) -> KataId | None:
        """The kata that such a path leads into."""
        return kata_of(path, self._core.settings.layout)

    def close(self) -> None:
        """Close every descriptor."""
        for part in self._parts.values():
            part.close()
        self._core.close()
