"""The names that open directories had when they were read from their beginning last, as far as there is room for them.

Whoever may read a directory may open it as often as they like, and a program in a container makes a million names in
minutes: without a bound one user takes all memory. Knows nothing of what names stand for.
"""

import threading
from collections import OrderedDict
from typing import NamedTuple

LIMIT_BYTES = 256 << 20
"""What all of them may take, but one alone may take more."""
_ENTRY_BYTES = 90
"""What an entry takes beside its name's bytes."""


class Listed(NamedTuple):
    """The names in a directory, in the order in which they are shown."""

    names: list[bytes]
    inodes: list[int]
    """The number that the directory says each inode has; 0 for another directory and for what no volume holds."""

    def size_bytes(self) -> int:
        """What it takes, about."""
        return sum(map(len, self.names)) + _ENTRY_BYTES * len(self.names)


class Listings:
    """Listings by the handle of the open directory. That which wasn't asked for longest makes room."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Covers what follows: listings are read without the tree's lock."""
        self._kept: OrderedDict[int, Listed] = OrderedDict()
        self._taken_bytes = 0
        self._given_up: dict[int, int] = {}
        """By the handles of those that made room, what tells if the same names are there again."""

    def put(self, handle: int, listed: Listed) -> None:
        """Keep a listing, in the place of what there was of the handle, and give up others for it."""
        with self._lock:
            self._remove(handle)
            self._kept[handle] = listed
            self._taken_bytes += listed.size_bytes()
            while self._taken_bytes > LIMIT_BYTES and len(self._kept) > 1:
                oldest = next(iter(self._kept))
                digest = hash(tuple(self._kept[oldest].names))
                self._remove(oldest)
                self._given_up[oldest] = digest

    def get(self, handle: int) -> Listed | None:
        """The listing; None where it had to make room."""
        with self._lock:
            listed = self._kept.get(handle)
            if listed is not None:
                self._kept.move_to_end(handle)
            return listed

    def has_changed(self, handle: int, listed: Listed) -> bool:
        """Whether a listing had to make room that had other names, or had them in another order."""
        digest = hash(tuple(listed.names))
        return self._given_up.get(handle, digest) != digest

    def drop(self, handle: int) -> None:
        """Keep nothing of the handle."""
        with self._lock:
            self._remove(handle)

    def _remove(self, handle: int) -> None:
        self._given_up.pop(handle, None)
        listed = self._kept.pop(handle, None)
        if listed is not None:
            self._taken_bytes -= listed.size_bytes()
