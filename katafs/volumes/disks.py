"""Which disk a path is on, as the mount table has it: to ask the path itself may take for ever."""

import contextlib
import logging
import os
import select
import threading
from typing import NewType

from katafs.errors import NoThread
from katafs.rooted.mounts import mounts_in, opened_table
from katafs.threads import started

_log = logging.getLogger(__name__)

Disk = NewType("Disk", bytes)
"""A mounted file system, by the major and minor number of its device."""

_PAUSE_S = 0.1
"""So long what changes is gathered: each container's start and end changes the table some times."""
_RETRY_S = 1.0
"""Where it couldn't be read there may be memory again after so long."""


class Disks:
    """The mount table of this process, as it was some tenths of a second ago. Safe for several threads.

    Read in a thread of its own: on a machine with many containers that takes milliseconds, and while one starts or
    ends the kernel lets nobody read it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Covers the thread's start and end."""
        self._thread: threading.Thread | None = None
        self._table = opened_table()  # before the first reading: it tells what comes after
        self._ending = os.eventfd(0, os.EFD_CLOEXEC)
        self._closed = False
        self._by_point: dict[str, Disk] = {}
        """Replaced in one step."""
        self._homes: dict[str, Disk | None] = {}
        """What was found for those with which others are compared. Replaced with it."""

    def of(self, path: str) -> Disk | None:
        """The disk of an absolute path without `..`; links in it aren't followed. None where nothing is mounted."""
        if self._thread is None:
            self._follow()
        by_point, at = self._by_point, path
        while at and at not in by_point:
            at = at.rpartition("/")[0]
        return by_point.get(at or "/")

    def other_than(self, home: str, path: str) -> Disk | None:
        """The disk of a path, if it isn't that of another."""
        disk, homes = self.of(path), self._homes
        if home not in homes:
            homes[home] = self.of(home)
        return None if disk == homes[home] else disk

    def close(self) -> None:
        """Follow it no more."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            os.eventfd_write(self._ending, 1)
            if self._thread is not None:
                self._thread.join()
            os.close(self._ending)
            os.close(self._table)

    def _follow(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed:
                self._read()
                with contextlib.suppress(NoThread):  # until there is one it is read each time that somebody asks
                    self._thread = started(self._run, "katafs-disks")

    def _read(self) -> None:
        # From what is open already: there may be as many files open as there may be.
        self._by_point = {os.fsdecode(mount.point): Disk(mount.device) for mount in mounts_in(self._table)}
        self._homes = {}

    def _run(self) -> None:
        changes, end = select.poll(), select.poll()
        changes.register(self._table, select.POLLPRI)  # proc_pid_mountinfo(5)
        for poll in (changes, end):
            poll.register(self._ending, select.POLLIN)
        was_read = True
        while self._ending not in dict(changes.poll(None if was_read else _RETRY_S * 1000)):
            if end.poll(_PAUSE_S * 1000):
                return
            was_read = self._read_anew(was_read)

    def _read_anew(self, was_read: bool) -> bool:
        """Whether that was done. Where the time before it was, it's said why it isn't."""
        try:
            self._read()
        except Exception as problem:  # until it is, disks that come are served as before  # noqa: BLE001
            if was_read:
                _log.warning("the mount table can't be read", extra={"error": repr(problem)})
            return False
        return True
