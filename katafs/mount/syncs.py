"""Which threads wait for a volume's disk to have what was written, and when: a storm leaves turns to who reads."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from katafs.fuse.operations import Later
from katafs.kata_id import VolumeName
from katafs.mount.lanes import Lanes

_QUICK_S = 0.002
"""Where a sync takes no longer, a volume's are made one after the other: a storm of them would take Python's lock from
who reads in other volumes. Of slower ones those that wait together are done together, and seldom."""

_REST_S = 0.001
"""Before one that has waited for another, where other volumes are in use: the programs of a storm and the threads that
they wait for would have the processors else."""

Result = TypeVar("Result")


@dataclass(slots=True)
class LastOpened:
    """Where a file or directory was opened last, in whichever part of a tree."""

    volume: VolumeName | None = None
    """None if there was none since a sync rested for that."""


class Syncs:
    """Those of all volumes of a part. Safe for several threads."""

    def __init__(self, one_by_one: Lanes, together: Lanes, last_opened: LastOpened) -> None:
        """The first has one thread for each volume."""
        self._one_by_one = one_by_one
        self._together = together
        self._last_opened = last_opened
        self._last_s = 0.0
        self._ended_s = 0.0
        self._since_s: dict[VolumeName | None, float] = {}
        """When a volume's first sync of those under way was begun. A look at it, its setting and removing: one step."""

    def waiting(self, volume: VolumeName | None, call: Callable[[], Result]) -> Later[Result]:
        """The call's answer, which waits for the volume's disk."""
        since_s = self._since_s.get(volume)
        longest_s = max(self._last_s, 0.0 if since_s is None else time.monotonic() - since_s)
        threads = self._one_by_one if longest_s < _QUICK_S else self._together
        return Later(threads.of(volume), partial(self._sync, volume, time.monotonic(), call))

    def _sync(self, volume: VolumeName | None, asked_s: float, call: Callable[[], Result]) -> Result:
        if asked_s < self._ended_s and self._last_s < _QUICK_S:
            self._rest(volume)
        start_s = time.monotonic()
        self._since_s.setdefault(volume, start_s)
        try:
            result = call()
        finally:
            self._since_s.pop(volume, None)
        self._ended_s = time.monotonic()
        self._last_s = self._ended_s - start_s
        return result

    def _rest(self, volume: VolumeName | None) -> None:
        if self._last_opened.volume not in (None, volume):
            self._last_opened.volume = None
            time.sleep(_REST_S)
