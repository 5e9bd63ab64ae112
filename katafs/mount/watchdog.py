"""Tells a supervisor, again and again, that the mount answers; what hangs falls silent, and is started anew.

A request of our own goes the whole way: from the kernel to the tree, with its lock, and back.
"""

import logging
import os
import threading
from contextlib import closing

from katafs.mount.control import NAME
from katafs.mount.mount_point import OwnMount
from katafs.mount.question import Question
from katafs.observe.systemd import Supervisor
from katafs.threads import insisting, started

_log = logging.getLogger(__name__)


class Watchdog:
    """Asks in a thread, until it is closed."""

    def __init__(self, mount: OwnMount, period_s: float) -> None:
        """The supervisor is told after each answer, of which there is at most one in a period. Raises OSError without
        descriptors, of which none is needed later."""
        self._mount = mount
        self._question = Question(os.path.join(mount.path, os.fsdecode(NAME)))
        self._supervisor = Supervisor()
        self._period_s = period_s
        self._missed = 0
        """How often in turn the mount wasn't at its path."""
        self._over = threading.Event()

    def start(self) -> None:
        """Begin to ask. Raises NoThread."""
        started(self._run, "katafs-watchdog")

    def close(self) -> None:
        """Ask no more. A question that isn't answered yet ends with the mount."""
        self._over.set()

    def _run(self) -> None:
        with closing(self._question), closing(self._supervisor):
            while not self._over.is_set():
                insisting(self._ask)

    def _ask(self) -> None:
        """Ask once, and wait until it is time to ask again."""
        if self._is_answered():
            self._supervisor.tell("WATCHDOG=1")
        self._over.wait(self._period_s)

    def _is_answered(self) -> bool:
        """Waits for as long as it takes."""
        try:
            # Taken from its path, or covered, nobody can ask it there any more, and those who are inside still use it.
            if not self._mount.is_there():
                self._say_missed()
                return True
            self._missed = 0
            return self._question.refusal() is None or not self._mount.is_there()
        except OSError as problem:
            _log.warning("cannot ask the mount", extra={"error": str(problem)})
            return False

    def _say_missed(self) -> None:
        """Once, and not of a mount that is about to end."""
        self._missed += 1
        if self._missed == 2:
            _log.warning(
                "the mount is not at its path any more, or covered, and programs or containers use it on: "
                "restart the service to mount again",
                extra={"path": self._mount.path},
            )
