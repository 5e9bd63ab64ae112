"""A tree beside an old disk, without a mount; and what converts that disk at the same time, as another process does."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from katafs.config import TreeSettings
from katafs.converter.conversion import Conversion
from katafs.kata_id import KataId, VolumeName
from katafs.namespace import Layout
from katafs.tree.core import Core
from katafs.tree.tree import Tree
from katafs.volumes.catalog import Catalog
from katafs.volumes.legacy_disk import LegacyDisk, Piece, piece_of
from katafs.volumes.legacy_store import LegacyStore
from katafs.volumes.memory import MemoryStore
from tests.harness.old_disk import OldDisk
from tests.unit.kernel import ME, ROOT, Kernel

KATA, SECOND = "123456789A", "34ABCDEF01"
IN = b"12/3456789A/"
HIKER = IN + b"lion/sandbox/hiker.c"


class Behind(MemoryStore):
    """A store that knows of others' volumes only once it is asked to look, as one that follows an engine does."""

    def __init__(self, beside: MemoryStore) -> None:
        super().__init__(beside=beside)
        self.when_asked: Callable[[VolumeName], None] = lambda _: None
        """Called before it looks."""
        self._known = Catalog(super().catalog().names())

    def catalog(self) -> Catalog:
        """As in the protocol."""
        return self._known

    def exists(self, name: VolumeName) -> bool:
        """As in the protocol."""
        self._answering()
        return name in self._known

    def open(self, name: VolumeName) -> int:
        """As in the protocol."""
        if name not in self._known:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return super().open(name)

    def look_up(self, name: VolumeName) -> None:
        """As in the protocol."""
        self.when_asked(name)
        (self._known.add if super().exists(name) else self._known.discard)(name)

    def create(self, name: VolumeName) -> None:
        """As in the protocol."""
        super().create(name)
        self._known.add(name)

    def remove(self, name: VolumeName) -> None:
        """As in the protocol."""
        super().remove(name)
        self._known.discard(name)


@dataclass
class Beside:
    """A tree and the disk and the store that it is of."""

    old: OldDisk
    store: MemoryStore
    kernel: Kernel
    elsewhere: Conversion
    """What another process converts with."""

    def convert_elsewhere(self, what: str) -> None:
        """Another process converts a kata or, given as `12/name` or `/name`, a stray."""
        outer, slash, name = what.partition("/")
        self.elsewhere.convert(Piece(outer, name.encode()) if slash else piece_of(KataId(what)))

    def volume(self, name: str) -> Path:
        """A volume's directory."""
        return self.store.path / name

    @property
    def core(self) -> Core:
        """How much a tree keeps is told nowhere else."""
        return self.kernel.tree._core  # noqa: SLF001

    def kept_numbers(self) -> int:
        """How many inodes go on under numbers that aren't their own."""
        numbers = self.core.numbers
        assert len(numbers._kept) == len(numbers._copies)  # noqa: SLF001
        return len(numbers._kept)  # noqa: SLF001

    def tracked(self) -> int:
        """How many pieces of the disk some inode is known of."""
        return len(self.core.legacy._nodes)  # noqa: SLF001


@contextmanager
def beside(store: MemoryStore, old: OldDisk, seen: MemoryStore | None = None, **options: object) -> Iterator[Beside]:
    """A split tree of the store and the disk. `seen` is the store as the tree sees it."""
    with contextlib.ExitStack() as ends:
        disks = [ends.enter_context(contextlib.closing(LegacyDisk(old.path))) for _ in range(2)]
        mine = seen or store
        settings = TreeSettings(layout=Layout.SPLIT, **options)  # type: ignore[arg-type]  # the settings' own
        tree = Tree(LegacyStore(mine, disks[0]), settings, None, Conversion(disks[0], mine))
        ends.callback(tree.close)
        yield Beside(old, store, Kernel(tree), Conversion(disks[1], store))


def descriptors(kernel: Kernel) -> int:
    """How many this process has open, but for the one that a lookup lends to the request after it."""
    for _ in range(2):
        kernel.tree.inodes.getattr(ROOT)
    return len(os.listdir("/proc/self/fd"))


def opened(kernel: Kernel, path: bytes) -> int:
    """A handle of the file, for reading."""
    return kernel.tree.files.open(kernel.number(path), os.O_RDONLY, ME)


def read(kernel: Kernel, handle: int) -> bytes:
    """All that is read through the handle."""
    return kernel.tree.files.read(handle, 0, 1 << 20)


def walked(kernel: Kernel, path: bytes = b"12/3456789A") -> dict[bytes, int]:
    """Look everything below the path up; the numbers, by path."""
    found = {path: kernel.number(path)}
    for name, told in kernel.entries(path).items():
        if name in (b".", b".."):
            continue
        below = path + b"/" + name
        found |= walked(kernel, below) if told.status.st_mode & 0o170000 == 0o040000 else {below: told.number}
    return found
