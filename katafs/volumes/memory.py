"""Volumes in memory, with faults on demand: for tests of what stands on a store, and for trying katafs out.

The volumes are real directories, since a store hands out descriptors; they lie in shared memory and end with the store.
"""

import shutil
import tempfile
from pathlib import Path

from katafs.errors import KatafsError, StoreUnreachable
from katafs.kata_id import VolumeName
from katafs.volumes.catalog import Catalog
from katafs.volumes.directories import DirectoryStore
from katafs.volumes.disks import Disk
from katafs.volumes.store import Used

_SHARED_MEMORY = Path("/dev/shm")


class MemoryStore:
    """A store that leaves nothing behind when it is closed."""

    def __init__(self, prefix: str = "", *, beside: "MemoryStore | None" = None) -> None:
        """`beside` shares another store's memory, as a second process shares an engine; close the other one last.

        Raises StoreUnreachable where there is no shared memory."""
        self.path: Path = beside.path if beside else _private_directory()
        """Where the volumes are."""
        self._owner = beside is None
        self._directories = DirectoryStore(self.path, prefix)
        self._fault: KatafsError | OSError | None = None
        self._used: set[VolumeName] = set()
        self._when_used: list[Used] = []

    def fail(self, fault: KatafsError | OSError) -> None:
        """Raise this from `exists`, `open`, `look_up`, `create` and `remove` until `heal`; the others don't fail in any
        store."""
        self._fault = fault

    def heal(self) -> None:
        """Answer again."""
        self._fault = None

    @property
    def url(self) -> str:
        """As in the protocol."""
        return "memory"

    def fault(self) -> str | None:
        """As in the protocol."""
        return self._directories.fault() if self._fault is None else str(self._fault)

    def catalog(self) -> Catalog:
        """As in the protocol."""
        return self._directories.catalog()

    def exists(self, name: VolumeName) -> bool:
        """As in the protocol."""
        return self._answering().exists(name)

    def open(self, name: VolumeName) -> int:
        """As in the protocol."""
        return self._answering().open(name)

    def disk_of(self, name: VolumeName) -> Disk | None:
        """As in the protocol."""
        return self._directories.disk_of(name)

    def look_up(self, name: VolumeName) -> None:
        """As in the protocol."""
        self._answering().look_up(name)

    def location(self, name: VolumeName) -> str:
        """As in the protocol."""
        return self._directories.location(name)

    def directories(self) -> set[str]:
        """As in the protocol."""
        return self._directories.directories()

    def create(self, name: VolumeName) -> None:
        """As in the protocol."""
        self._answering().create(name)

    def remove(self, name: VolumeName) -> None:
        """As in the protocol."""
        self._answering().remove(name)

    def in_use(self, name: VolumeName) -> bool:
        """As in the protocol."""
        return name in self._used

    def when_used(self, call: Used) -> None:
        """As in the protocol."""
        self._when_used.append(call)

    def use(self, name: VolumeName) -> None:
        """Be a container that mounts the volume, until `leave`."""
        self._used.add(name)
        for call in self._when_used:
            call(name)

    def leave(self, name: VolumeName) -> None:
        """Be that container no more."""
        self._used.discard(name)

    def close(self) -> None:
        """As in the protocol. The volumes are deleted with all that is in them."""
        self._directories.close()
        if self._owner:
            shutil.rmtree(self.path)
            self._owner = False

    def _answering(self) -> DirectoryStore:
        if self._fault is not None:
            raise self._fault
        return self._directories


def _private_directory() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="katafs-", dir=_SHARED_MEMORY))
    except OSError as problem:
        raise StoreUnreachable(f"no volumes in memory: {_SHARED_MEMORY}: {problem.strerror}") from problem
