"""A mount with its store's directory beside it, and katas that no other test of the same mount uses."""

import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from katafs.namespace import Layout
from tests.harness.mounted import Mounted
from tests.harness.old_disk import FILES, OldDisk
from tests.harness.waiting import until

_ids = itertools.count(1)


def fresh_id() -> str:
    """An id that nobody has used yet, in an outer directory that few have."""
    number = next(_ids)
    return f"{number % 256:02X}{number:08X}"


@dataclass(frozen=True)
class Served:
    """What is mounted, and what it is mounted from."""

    mounted: Mounted
    store: Path
    layout: Layout

    @property
    def top(self) -> Path:
        """The mount point."""
        return self.mounted.path

    @property
    def root_volume(self) -> Path:
        """Where the store keeps what belongs to no kata."""
        return self.store / "katafs_root"

    def path(self, kata: str) -> Path:
        """A kata's directory."""
        return self.top / (kata if self.layout is Layout.FLAT else f"{kata[:2]}/{kata[2:]}")

    def alias(self, kata: str) -> Path:
        """The other layout's path to it."""
        return self.top / (kata if self.layout is Layout.SPLIT else f"{kata[:2]}/{kata[2:]}")

    def volume(self, kata: str, avatar: str = "") -> Path:
        """Its volume, or an avatar's, in the store."""
        return self.store / (f"{kata}_{avatar}" if avatar else kata)

    def make(self, kata: str) -> Path:
        """A new kata through the mount, as `mkdir -p` does; its path."""
        path = self.path(kata)
        path.parent.mkdir(exist_ok=True)
        path.mkdir()
        return path

    def appear(self, kata: str, avatar: str = "") -> Path:
        """A volume that somebody else makes, from when on the mount shows it; its directory in the store."""
        volume = self.volume(kata, avatar)
        volume.mkdir()
        shown = self.path(kata) / avatar / "sandbox" if avatar else self.alias(kata)
        until(lambda: self.path(kata).parent.is_dir() and os.path.lexists(shown), f"{shown} to appear")
        return volume

    def volumes(self) -> set[str]:
        """What is in the store."""
        return set(os.listdir(self.store))


@dataclass(frozen=True)
class LegacyServed(Served):
    """The same beside an old disk, from which katas are served until they are converted."""

    disk: OldDisk

    def old(self, files: Mapping[str, str] = FILES) -> str:
        """The id of a new kata on the old disk."""
        kata = fresh_id()
        self.disk.make(kata, files)
        return kata

    def is_converted(self, kata: str) -> bool:
        """Whether the kata is in its volume, whole, and nowhere else."""
        return self.volume(kata).is_dir() and bool(os.listdir(self.volume(kata))) and not self.is_on_disk(kata)

    def is_untouched(self, kata: str) -> bool:
        """Whether the kata is where it was, and there is no volume of it."""
        return self.is_on_disk(kata) and not self.volume(kata).exists()

    def is_on_disk(self, kata: str) -> bool:
        """Whether the old disk has the kata."""
        return self.disk.where(kata).is_dir()
