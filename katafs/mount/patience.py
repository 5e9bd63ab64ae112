"""When a call that nobody wants to wait for any more is cancelled: only where its lane is stuck.

What waits for its turn is done soon otherwise, and a program that is sent a signal expects no EINTR of a stat(2),
write(2) or mkdir(2).
"""

import functools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from katafs.errors import NoThread
from katafs.threads import started

PATIENCE_S = 1.0
"""A lane of which nothing comes for so long is stuck: then who doesn't want to wait any longer needn't."""


class Patient(Future[Any]):
    """A call that is cancelled only where it may be given up."""

    def __init__(self, give_up: Callable[["Patient"], bool]) -> None:
        super().__init__()
        self._give_up = give_up

    def cancel(self) -> bool:
        """Now or later, as the lane is."""
        return self._give_up(self) and super().cancel()


class Lane(Protocol):
    """What is to be known of the calls of one."""

    moved_s: float
    """When it had nothing to do last, or a call of it returned, by time.monotonic()."""
    given_up: list[Patient]
    """Calls that are to be cancelled if it turns out to be stuck. Only `Patience` uses it."""


class Patience:
    """That of all lanes. Safe for several threads."""

    def __init__(self, seconds: float, thread_name: str) -> None:
        self._seconds = seconds
        self._thread_name = thread_name
        self._lock = threading.Lock()
        """Covers what each lane has given up."""

    def is_over(self, lane: Lane, call: Patient) -> bool:
        """Whether the lane is stuck, so that the call may be cancelled. Else that is seen to once it is."""
        if time.monotonic() - lane.moved_s >= self._seconds:
            return True
        with self._lock:
            lane.given_up.append(call)
            if len(lane.given_up) > 1:
                return False
        try:
            started(functools.partial(self._look_later, lane), self._thread_name)
        except NoThread:
            for each in self._given_up(lane):
                Future.cancel(each)
            return True
        return False

    def _look_later(self, lane: Lane) -> None:
        time.sleep(self._seconds)
        for call in self._given_up(lane):
            if not call.done():
                call.cancel()

    def _given_up(self, lane: Lane) -> list[Patient]:
        with self._lock:
            calls, lane.given_up = lane.given_up, []
        return calls
