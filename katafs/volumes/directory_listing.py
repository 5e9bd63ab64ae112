"""Keeps a catalog in step with a directory that others change too, without listing it for every question."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from katafs.kata_id import VolumeName
from katafs.rooted.inodes import is_settled
from katafs.volumes.catalog import Catalog
from katafs.volumes.names import Prefix

_REST = 20
"""After a listing comes a pause this many times as long, so that a big store that changes all the time costs little."""

_LONGEST_REST_NS = 500_000_000
"""The pause is no longer than this, since others' changes must show within a second."""


class DirectoryListing:
    """The volumes in a directory. Safe for several threads."""

    def __init__(self, fd: int, prefix: Prefix) -> None:
        self.catalog = Catalog()
        self._fd = fd
        self._prefix = prefix
        self._lock = threading.Lock()
        """Covers the directory's own changes with the catalog's, so that no listing overtakes them; and the below."""
        self._entries: set[str] = set()
        """What was in the directory, of which the catalog has the volumes: of a listing only what is new is read."""
        self._listed_ctime_ns = -1
        self._next_listing_ns = 0
        """On the monotonic clock."""
        self._list()

    def refresh(self) -> None:
        """List the directory, if it may have changed since the last time; while another thread does so, don't wait."""
        if os.fstat(self._fd).st_ctime_ns == self._listed_ctime_ns or time.monotonic_ns() < self._next_listing_ns:
            return
        if self._lock.acquire(blocking=False):
            try:
                self._list()
            finally:
                self._lock.release()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold off listings while the directory is changed; `add` and `discard` tell what was."""
        with self._lock:
            yield

    def add(self, name: VolumeName) -> None:
        """The volume was made."""
        self._entries.add(self._prefix.put(name))
        self.catalog.add(name)

    def discard(self, name: VolumeName) -> None:
        """The volume was removed."""
        self._entries.discard(self._prefix.put(name))
        self.catalog.discard(name)

    def _list(self) -> None:
        start_ns = time.monotonic_ns()
        status = os.fstat(self._fd)
        listed_ctime_ns = status.st_ctime_ns if is_settled(status) else -1
        # Python has rewound it after the last listing, and since Linux 6.5 btrfs shows what was there at that time.
        os.lseek(self._fd, 0, os.SEEK_SET)
        entries = set(os.listdir(self._fd))
        gone, new = self._entries - entries, entries - self._entries
        for names, change in ((gone, self.catalog.discard), (new, self.catalog.add)):
            for name in map(self._prefix.strip, names):
                if name is not None:
                    change(name)
        self._entries -= gone
        self._entries |= new
        self._listed_ctime_ns = listed_ctime_ns
        end_ns = time.monotonic_ns()
        self._next_listing_ns = end_ns + min(_REST * (end_ns - start_ns), _LONGEST_REST_NS)
