"""What goes with one request: who asks, what a name was found to be, and what is held until it is answered."""

import errno
import os
import stat
import threading
from dataclasses import dataclass
from typing import Protocol

from katafs.kata_id import VolumeName
from katafs.namespace import Place
from katafs.tree.descriptors import Descriptors
from katafs.tree.legacy import Legacy
from katafs.volumes.disks import Disk
from katafs.volumes.legacy_disk import Piece


class Caller(Protocol):
    """Who asks."""

    @property
    def uid(self) -> int: ...
    @property
    def gid(self) -> int: ...
    @property
    def pid(self) -> int: ...


@dataclass(slots=True)
class Found:
    """What a name stands for now."""

    place: Place
    volume: VolumeName | None
    number: int
    status: os.stat_result | None = None
    """None for what no volume holds."""
    descriptor: int | None = None
    """An O_PATH descriptor that belongs to whoever takes this, unless the node's is kept already."""
    closed: bool = False
    """Its volume exists and can't be served."""
    piece: Piece | None = None
    """The piece of a legacy disk that it is in."""

    def is_last_name(self) -> bool:
        """Whether the inode has no other name in a volume (a directory has but one)."""
        return self.status is not None and (self.status.st_nlink <= 1 or stat.S_ISDIR(self.status.st_mode))

    def close(self) -> None:
        """Close the descriptor, unless somebody has taken it."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


class Elsewhere(OSError):
    """A volume is on another disk than this tree's, so that another tree serves it. An answer where a volume would have
    to be left or entered by a move (EXDEV)."""

    def __init__(self, disk: Disk | None) -> None:
        super().__init__(errno.EXDEV, os.strerror(errno.EXDEV))
        self.disk = disk
        """None for the root volume's."""


class Locked:
    """The tree's lock, held for one request. Written out, since a generator costs a request several times as much."""

    __slots__ = ("_descriptors", "_legacy", "_lock")

    def __init__(self, lock: threading.RLock, descriptors: Descriptors, legacy: Legacy) -> None:
        self._lock = lock
        self._descriptors = descriptors
        self._legacy = legacy

    def __enter__(self) -> None:
        self._lock.acquire()

    # Not `*_`: the tuple for that may find no memory, and then nothing here is done.
    def __exit__(self, _type: object, _problem: object, _traceback: object) -> None:
        try:
            if self._legacy.held:
                self._legacy.release()
            if self._descriptors.untidy:
                self._descriptors.trim()
        finally:
            self._lock.release()


class Reached:
    """A descriptor for the time of one operation, closed at its end if it was opened for it."""

    __slots__ = ("_descriptor", "_opened_as")

    def __init__(self, descriptor: int, opened_as: os.stat_result | None) -> None:
        self._descriptor = descriptor
        self._opened_as = opened_as

    def __enter__(self) -> int:
        return self._descriptor

    def __exit__(self, _type: object, _problem: object, _traceback: object) -> None:  # as above
        if self._opened_as is not None:
            os.close(self._descriptor)
