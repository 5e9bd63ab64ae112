"""Keeps the tree from remembering more inodes than it is to, by asking the kernel to forget those that nobody uses.

From Linux 6.18 on the kernel can be asked just that. An older one is told that names of files are to be looked up
anew, which makes it forget files that nobody uses; of directories that can't be said, since a program may work in one.
"""

import logging
import threading
from collections.abc import Sequence

from katafs.fuse.connection import Connection
from katafs.threads import started
from katafs.tree.surplus import Surplus, Unneeded

_log = logging.getLogger(__name__)

_FEWEST = 512
"""So many inodes the kernel is asked for at a time."""
_MOST = 16_384
"""Where it keeps all of them it is asked for twice as many the next time, up to here: the tree's lock is held for some
milliseconds then."""
_MOMENT_S = 0.01
"""The FORGET of an inode that nobody uses comes sooner."""
_LAST_MOMENT_S = 1.0
"""After this nothing more comes."""
_WORTHWHILE = 16
"""If fewer than one of so many are forgotten the rest is in use."""


class Shrinker:
    """A thread of its own, since the kernel may wait for the answer to a request before it has let go of a name."""

    def __init__(self, surplus: Surplus, connection: Connection) -> None:
        self._surplus = surplus
        self._connection = connection
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look after the number of inodes. Raises NoThread."""
        self._thread = started(self._run, "katafs-shrinker")

    def stop(self) -> None:
        """Have it end, without a wait. Where the kernel keeps it waiting it writes nothing more, and ends with the
        connection."""
        self._stopping = True
        self._surplus.crowded.set()
        self._surplus.forgotten.set()

    def close(self) -> None:
        """The same, and give it a moment to have ended."""
        self.stop()
        if self._thread is not None:  # it may not have been started, for want of a thread
            self._thread.join(_LAST_MOMENT_S)

    def _run(self) -> None:
        while True:
            self._surplus.crowded.wait()
            self._surplus.crowded.clear()
            if self._stopping:
                return
            try:
                self._shrink()
            except Exception:  # without it the mount goes on, and only its memory isn't bounded  # noqa: BLE001
                _log.exception("a bug in katafs: asking the kernel to forget inodes")
            self._surplus.watch()

    def _shrink(self) -> None:
        surplus = self._surplus
        passed, gone, batch = 0, surplus.gone, 0
        while (excess := surplus.excess) and not self._stopping:
            batch = min(2 * batch or min(excess, _FEWEST), _MOST)
            surplus.forgotten.clear()
            self._ask(surplus.pass_over(batch))
            passed += batch
            if surplus.forgotten.wait(_MOMENT_S):
                batch = 0
            if passed >= surplus.known:
                surplus.forgotten.wait(_LAST_MOMENT_S)
                if surplus.gone - gone < passed // _WORTHWHILE:
                    self._say_in_vain()
                    return
                passed, gone = 0, surplus.gone

    def _ask(self, unneeded: Sequence[Unneeded]) -> None:
        agreement, device = self._connection.agreement, self._connection.device
        if agreement is not None and agreement.prunes():
            if not self._stopping:
                device.prune(each.number for each in unneeded)
            return
        for each in unneeded:
            if not each.is_directory and not self._stopping:
                device.invalidate_entry(each.parent, each.name)

    def _say_in_vain(self) -> None:
        known, limit = self._surplus.known, self._surplus.limit
        if known > limit:
            _log.warning("programs or the kernel use %d inodes, more than the %d of -o inodes", known, limit)
