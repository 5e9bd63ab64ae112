"""Which disk a path is on, as the mount table has it: to ask the path itself may take for ever."""

import os
import select
import threading
from typing import NewType

from katafs.rooted.mounts import TABLE, mounts

Disk = NewType("Disk", bytes)
"""A mounted file system, by the major and minor number of its device."""


class Disks:
    """The mount table of this process, read again when it has changed. Safe for several threads."""

    def __init__(self) -> None:
        self._table = os.open(TABLE, os.O_RDONLY | os.O_CLOEXEC)
        self._changes = select.poll()
        self._changes.register(self._table, select.POLLPRI)
        self._lock = threading.Lock()
        """Covers all below, and that one thread at a time asks for changes."""
        self._by_point: dict[bytes, Disk] = {}
        self._read = False

    def of(self, path: str) -> Disk | None:
        """The disk of an absolute path, links in which aren't followed; None where nothing is mounted above it."""
        at = os.path.normpath(os.fsencode(path))
        with self._lock:
            if self._changes.poll(0) or not self._read:  # proc_pid_mountinfo(5)
                self._by_point, self._read = {mount.point: Disk(mount.device) for mount in mounts()}, True
            while at not in self._by_point:
                above = os.path.dirname(at)
                if above == at:
                    return None
                at = above
            return self._by_point[at]

    def other_than(self, home: str, path: str) -> Disk | None:
        """The disk of a path, if it isn't that of another."""
        disk = self.of(path)
        return None if disk == self.of(home) else disk

    def close(self) -> None:
        """Read it no more."""
        table, self._table = self._table, -1
        if table >= 0:
            os.close(table)
