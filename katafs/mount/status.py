"""What a mount says of itself: the file `.katafs/status.json`, made up whenever it is opened.

Its keys are what `katafs status` prints, and for programs to rely on.
"""

import datetime
import json
import os
import time
from functools import partial
from typing import Any, NamedTuple

from katafs import __version__
from katafs.config import MountSettings
from katafs.errors import StoreUnreachable, VolumeRefused
from katafs.fuse.connection import Connection
from katafs.fuse.operations import Later
from katafs.mount.answers import errno_of
from katafs.mount.control import Reading
from katafs.mount.lanes import Lanes
from katafs.tree.tree import Tree


class Fault(NamedTuple):
    """A fault of the store that an operation met."""

    when_s: float
    """Seconds since 1970."""
    text: str


class Faults:
    """Remembers the last fault of the store when it becomes an errno."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.last: Fault | None = None

    def errno_of(self, operation: str, error: Exception, node: int | None) -> int:
        """As in `katafs.mount.answers`, of an operation that was asked of this inode."""
        if isinstance(error, StoreUnreachable | VolumeRefused):
            self.last = Fault(time.time(), str(error))
        return errno_of(operation, error, partial(self._where, node))

    def _where(self, node: int | None) -> dict[str, str]:
        try:
            return {} if node is None else {"path": os.fsdecode(self._tree.path_of(node))}
        except OSError:  # the kernel has forgotten it, or it is none of the tree's
            return {}


class Status:
    """The file's content, and who makes it."""

    def __init__(
        self, tree: Tree, connection: Connection, faults: Faults, mount_point: str, settings: MountSettings
    ) -> None:
        self._tree = tree
        self._connection = connection
        self._faults = faults
        self._mount_point = mount_point
        self._settings = settings
        self._started_s = time.time()
        self._started_monotonic_s = time.monotonic()
        self._thread = Lanes("katafs-status", threads=1, share=1)
        """Of its own, since whoever asks may want to know why the others are all busy."""

    def close(self) -> None:
        """Make no more of it; nobody waits for one that a hanging disk keeps, nor does the end of the process."""
        self._thread.close(0)

    def open(self) -> Later[Reading]:
        """The status of now, to be read."""
        return Later(self._thread.of(None), lambda: Content((json.dumps(self.now(), indent=1) + "\n").encode()))

    def now(self) -> dict[str, Any]:
        """The status as an object. It may wait for the store's disk."""
        figures = self._tree.figures()
        return {
            "version": __version__,
            "pid": os.getpid(),
            "mount_point": self._mount_point,
            "started": _iso(self._started_s),
            "uptime_s": round(time.monotonic() - self._started_monotonic_s, 3),
            "options": dict(self._settings.options),
            "store": {
                "url": figures.store,
                "reachable": figures.store_fault is None,
                "fault": figures.store_fault,
                "last_error": _shown(self._faults.last),
            },
            "katas": figures.katas,
            "volumes": {
                "total": figures.volumes,
                "live": figures.volumes_live,
                "idle": figures.volumes - figures.volumes_live,
            },
            "open_files": figures.open_files,
            "open_directories": figures.open_directories,
            "nodes": figures.nodes,
            "kept_descriptors": figures.kept_descriptors,
            "most_kept_descriptors": figures.most_kept_descriptors,
            "kept_descriptor_hits": figures.kept_descriptor_hits,
            "kept_descriptor_misses": figures.kept_descriptor_misses,
            "processors_awake": self._connection.processors.are_awake(),
            "operations": self._connection.operations(),
            "errors": self._connection.errors(),
        }


class Content:
    """Bytes that are read from their beginning to their end."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, offset: int, size_bytes: int) -> bytes:
        """As in Reading."""
        return self._content[offset : offset + size_bytes]

    def close(self) -> None:
        """Nothing: there is nothing to give back."""


def _iso(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")


def _shown(fault: Fault | None) -> dict[str, str] | None:
    return None if fault is None else {"time": _iso(fault.when_s), "text": fault.text}
