"""What every store of volumes promises; `tests/contract` holds each implementation to it.

A store knows nothing of the paths inside a volume. Names here carry no prefix: a store that keeps its volumes under a
prefix adds and strips it itself. Every method may be called from several threads.
"""

from collections.abc import Callable
from typing import Protocol

from katafs.kata_id import VolumeName
from katafs.volumes.catalog import Catalog
from katafs.volumes.disks import Disk

Used = Callable[[VolumeName], None]
"""What is to be called with a volume that has come into use. It must not wait."""


class VolumeStore(Protocol):
    """Where volumes live."""

    @property
    def url(self) -> str:
        """The store as `--volumes` names it: `docker`, `dir:/path`, `memory`."""

    def fault(self) -> str | None:
        """Why the store can't be asked now, in one line; None while it can, as far as it knows. Never waits for an
        engine."""

    def catalog(self) -> Catalog:
        """The volumes that exist, as far as the store knows. Never waits for an engine, so it may be called by who
        reads requests; after the engine went away it is what was known last."""

    def exists(self, name: VolumeName) -> bool:
        """Whether the volume exists. Never waits for an engine.

        Raises StoreUnreachable for a volume that is not known while the store can't be asked."""

    def open(self, name: VolumeName) -> int:
        """A new O_PATH descriptor of the volume's top directory, the caller's to close. Never waits for an engine.

        Raises FileNotFoundError for a volume that doesn't exist, VolumeRefused for one whose data is not on this host
        or not where it should be, StoreUnreachable as `exists` does and where no volume is where it should be."""

    def disk_of(self, name: VolumeName) -> Disk | None:
        """The disk that the volume is on; None where that is the root volume's. It asks neither disk nor engine, and
        knows only what is mounted now."""

    def look_up(self, name: VolumeName) -> None:
        """Ask anew whether the volume exists, where others may have made it a moment ago. It may wait for an engine.

        Raises StoreUnreachable."""

    def location(self, name: VolumeName) -> str:
        """What a container's `--mount` option calls the volume: `type=volume,source=…` or `type=bind,source=…`."""

    def directories(self) -> set[str]:
        """Where what it keeps is found on this host, as far as it knows: who serves it asks these by their paths, and
        would wait for itself with one below its own mount. What an operator has chosen for a volume isn't among them,
        which may be on a disk that hangs."""

    def create(self, name: VolumeName) -> None:
        """Make an empty volume; atomic also between processes. It may wait for an engine.

        Raises FileExistsError where it exists already, StoreUnreachable where the store can't be asked or refuses."""

    def remove(self, name: VolumeName) -> None:
        """Remove an empty volume. It may wait for an engine.

        Raises FileNotFoundError, OSError(ENOTEMPTY), OSError(EBUSY) while a container uses it, StoreUnreachable."""

    def in_use(self, name: VolumeName) -> bool:
        """Whether a container has the volume mounted now, as far as the store knows. Never waits for an engine."""

    def when_used(self, call: Used) -> None:
        """From now on make this call, in whatever thread, when a container has mounted a volume that none had: `in_use`
        says so by then. Of those that are in use already nothing is said."""

    def close(self) -> None:
        """Stop following the store and close its descriptors."""
