"""How much room there is where volumes are made, and how much copies take of it."""

import os
from dataclasses import dataclass

from katafs.errors import StoreUnreachable
from katafs.rooted import mounts
from katafs.volumes.store import VolumeStore


@dataclass(frozen=True, slots=True)
class Room:
    """So much of a file system."""

    size_bytes: int = 0
    inodes: int | None = 0
    """None for a file system that has no fixed number of them."""

    def holds(self, other: "Room") -> bool:
        """Whether the other fits in."""
        fits = self.inodes is None or other.inodes is None or other.inodes <= self.inodes
        return fits and other.size_bytes <= self.size_bytes


@dataclass(frozen=True, slots=True)
class Home:
    """Where volumes are made, for the most part: an operator may have put single ones elsewhere."""

    file_system: bytes
    """As `mounts` has it: of btrfs each subvolume has an st_dev of its own."""
    free: Room
    """What is left there for others than root: a conversion that takes more fills what is kept for the system."""


def home(store: VolumeStore) -> Home | None:
    """Where the store makes its volumes; None for an engine that has none yet, which alone would tell.

    Raises StoreUnreachable where that isn't there, and OSError where it can't be asked."""
    gone = store.fault()
    if gone is not None:
        raise StoreUnreachable(gone)
    place = next(iter(store.directories()), None)
    if place is None:
        return None
    opened = os.open(place, os.O_PATH | os.O_CLOEXEC)
    try:
        free, mount = os.fstatvfs(opened), mounts.mount_of(opened)
    finally:
        os.close(opened)
    return Home(mount.device, Room(free.f_bavail * free.f_frsize, free.f_favail if free.f_files else None))
