"""Tells a supervisor, again and again, that the mount answers; what hangs falls silent, and is started anew.

A request of our own goes the whole way: from the kernel to the tree, with its lock, and back. A child makes it: a
thread that waits for an answer of its own process can't be killed, and would keep the process, its mount and all who
use it from ever ending.
"""

import logging
import os
import subprocess
import threading
from collections.abc import Callable

from katafs.mount.control import NAME
from katafs.mount.mount_point import TYPE, mounted_types

_log = logging.getLogger(__name__)


class Watchdog:
    """Asks in a thread, until it is closed."""

    def __init__(self, mount_point: str, period_s: float, tell: Callable[[], None]) -> None:
        """`tell` is called after each answer, of which there is at most one in a period."""
        self._mount_point = mount_point
        self._asked = os.path.join(mount_point, os.fsdecode(NAME))
        self._period_s = period_s
        self._tell = tell
        self._over = threading.Event()

    def start(self) -> None:
        """Begin to ask."""
        threading.Thread(target=self._run, name="katafs-watchdog", daemon=True).start()

    def close(self) -> None:
        """Ask no more. A question that isn't answered yet ends with the mount."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.is_set():
            if self._is_answered():
                self._tell()
            self._over.wait(self._period_s)

    def _is_answered(self) -> bool:
        """Waits for as long as it takes."""
        nowhere = subprocess.DEVNULL
        command = ["stat", "--", self._asked]
        try:
            done = subprocess.run(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, cwd="/", check=False)
        except OSError as problem:
            _log.warning("cannot ask the mount", extra={"error": str(problem)})
            return False
        # Taken from its path, or covered, nobody can ask it there any more, and those who are inside still use it.
        return done.returncode == 0 or mounted_types(self._mount_point)[-1:] != [TYPE]
