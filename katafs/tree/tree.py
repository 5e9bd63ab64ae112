"""The file system as one object: each group of operations, over one state."""

from collections.abc import Sequence

from katafs.config import TreeSettings
from katafs.kata_id import KataId, VolumeName
from katafs.namespace import kata_of
from katafs.tree.core import Core
from katafs.tree.creation import Creation
from katafs.tree.directories import Directories
from katafs.tree.figures import Figures, figures_of
from katafs.tree.files import Files
from katafs.tree.finder import Finder
from katafs.tree.inodes import Inodes
from katafs.tree.kept import Kept, kept_of
from katafs.tree.legacy import Legacy, Mover
from katafs.tree.nodes import DEEPEST, Node
from katafs.tree.removal import Removal
from katafs.tree.surplus import Surplus
from katafs.tree.tags import Tags, TagSource
from katafs.tree.volumes import Volumes
from katafs.volumes.legacy_disk import Piece
from katafs.volumes.legacy_store import LegacyStore
from katafs.volumes.store import Used, VolumeStore


class Tree:
    """A store's volumes as one tree of inodes."""

    def __init__(
        self,
        store: VolumeStore,
        settings: TreeSettings,
        tag_source: TagSource | None = None,
        mover: Mover | None = None,
    ) -> None:
        """Opens, and if need be makes, the root volume. Raises KatafsError where the store doesn't let it.

        Without a source of tags there are none, whatever the settings say. A store with a legacy disk needs a mover."""
        legacy = None
        if isinstance(store, LegacyStore) and mover is not None:
            legacy = Legacy(store, mover, settings.convert)
        self._mover = mover
        self._core = Core(store, settings, legacy)
        finder = Finder(self._core)
        self.creation = Creation(self._core, finder)
        self.volumes = Volumes(self._core, finder, self.creation)
        self.removal = Removal(self._core, finder, self.creation)
        self.files = Files(self._core, finder, self.creation)
        self.tags = Tags(self._core, finder, self.creation, self.files, tag_source)
        self.directories = Directories(self._core, finder, self.tags)
        self.inodes = Inodes(self._core, self.creation, self.files)
        self.surplus = Surplus(self._core)

    def volume_of(self, number: int) -> VolumeName | None:
        """The volume that an inode is in; None for one in no volume, or one that the kernel doesn't know."""
        node = self._core.nodes.known(number)
        return None if node is None else node.volume

    def is_live(self, node: Node) -> bool:
        """Whether others may change what a node stands for at any time, so that nothing of it is to be kept."""
        return self._core.timeout_of(node.volume) == 0

    def forget(self, forgotten: Sequence[tuple[int, int]]) -> None:
        """Take back lookups: inode numbers with counts."""
        with self._core.lock:
            for number, count in forgotten:
                self._core.forget(number, count)
        self.surplus.forgotten.set()

    def convert(self, piece: Piece) -> None:
        """Convert what `Unconverted` named; it takes its time. Raises KatafsError or OSError where that failed."""
        if self._mover is None or self._core.legacy is None:
            return
        try:
            self._mover.convert(piece)
        except FileNotFoundError:
            # Somebody else has converted it and removed or renamed it since: asked again, the tree says what is there.
            if self._core.legacy.disk.stands(piece):
                raise

    def leave_as_it_is(self, piece: Piece) -> None:
        """Let a piece that couldn't be converted be read where it is."""
        if self._core.legacy is not None:
            self._core.legacy.left_as_they_are.add(piece)

    def when_used(self, call: Used) -> None:
        """From now on make this call, in any thread, when a container has mounted a volume that none had: the kernel is
        let keep nothing more of it."""
        self._core.store.when_used(call)

    def kept_of(self, volume: VolumeName) -> Kept:
        """What the kernel may keep of a volume from before it came into use."""
        return kept_of(self._core, volume)

    def figures(self) -> Figures:
        """How much of everything there is now. It may wait for the store's disk."""
        return figures_of(self._core, self.files, self.directories)

    def path_of(self, number: int) -> bytes:
        """The path by which the kernel found an inode last, from the top: `/123456789A/lion`; `/` for the top itself.

        Raises OSError(ESTALE) for a number that isn't in use."""
        names: list[bytes] = []
        with self._core.lock:
            node = self._core.nodes[number]
            while node.parent is not None and len(names) <= DEEPEST:
                names.append(node.name)
                node = node.parent
        return b"/" + b"/".join(reversed(names))

    def kata_of(self, path: bytes) -> KataId | None:
        """The kata that such a path leads into."""
        return kata_of(path, self._core.settings.layout)

    def close(self) -> None:
        """Close every descriptor."""
        self._core.close()
