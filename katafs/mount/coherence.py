"""Makes the kernel drop what it keeps of a volume when a container comes to use it.

From then on nothing more is kept, since attributes and names are told with no time to keep them; but what was told
before could be kept on for its whole time. Decides nothing: the tree says what there may be.
"""

import logging
import threading
import time
from typing import NamedTuple

from katafs.fuse.connection import Connection
from katafs.kata_id import VolumeName
from katafs.mount.answers import errno_of
from katafs.threads import joined, started
from katafs.tree.kept import Kept
from katafs.tree.tree import Tree

_log = logging.getLogger(__name__)

_REPLIES_S = 10.0
"""So long at most the replies are waited for that are being made: one to a stuck disk may take for ever."""
_LOOK_S = 0.001
"""Most replies take much less; to tell somebody of each would cost all requests."""
_TURN_S = 1.0
"""On a busy machine a program that was woken may have to wait for a processor, but hardly so long."""


class _Work(NamedTuple):
    """What is at work for a volume."""

    thread: threading.Thread
    anew: threading.Event
    """Set when the volume has come into use once more, or all is to end: what is waited for isn't needed then."""


class Coherence:
    """A thread for each volume while there is something to drop: the kernel may let it wait for a request to that
    volume, which must hold up neither the other volumes nor whoever answers requests."""

    def __init__(self, tree: Tree, connection: Connection) -> None:
        self._tree = tree
        self._connection = connection
        self._lock = threading.Lock()
        """Covers all below."""
        self._at_work: dict[VolumeName, _Work] = {}
        self._closing = threading.Event()

    def used(self, volume: VolumeName) -> None:
        """The volume has come into use."""
        with self._lock:
            if self._closing.is_set():
                return
            if volume in self._at_work:
                self._at_work[volume].anew.set()
                return
            anew = threading.Event()
            thread = started(lambda: self._run(volume, anew), "katafs-coherence")
            self._at_work[volume] = _Work(thread, anew)

    def close(self, seconds: float) -> None:
        """Begin nothing more, and wait for what is being done, so long at most."""
        with self._lock:
            self._closing.set()
            at_work = list(self._at_work.values())
        for work in at_work:
            work.anew.set()
        joined([work.thread for work in at_work], seconds)

    def _run(self, volume: VolumeName, anew: threading.Event) -> None:
        while True:
            anew.clear()
            try:
                if not self._closing.is_set():
                    self._drop(volume, anew)
            except Exception as error:  # noqa: BLE001 the next container's coming must find this one done
                errno_of("the dropping of what is kept", error)
            with self._lock:
                if not anew.is_set() or self._closing.is_set():
                    del self._at_work[volume]
                    return

    def _drop(self, volume: VolumeName, anew: threading.Event) -> None:
        is_left = self._connection.under_way()
        were_under_way = is_left()  # what they tell of may be in no table yet, whenever they end
        kept = self._tree.kept_of(volume)
        self._expire(kept)
        for number in kept.numbers:
            if self._closing.is_set():
                return
            self._connection.device.invalidate_inode(number)
        _log.debug("volume %s is in use: dropped %d names and %d inodes", volume, len(kept.names), len(kept.numbers))
        if not were_under_way:
            return
        until_s = time.monotonic() + _REPLIES_S
        while is_left() and time.monotonic() < until_s:
            if anew.wait(_LOOK_S):
                return
        # What was told before the container came may have come to the kernel after it was told to drop that: names.
        # Attributes can't, since it numbers its questions and passes over old answers.
        self._expire(self._tree.kept_of(volume))
        # The program that asked takes the reply in, when its turn on a processor comes.
        if not anew.wait(_TURN_S):
            self._expire(self._tree.kept_of(volume))

    def _expire(self, kept: Kept) -> None:
        for parent, name in kept.names:
            if self._closing.is_set():  # the device's number may be another file's soon
                return
            self._connection.device.expire_entry(parent, name)
