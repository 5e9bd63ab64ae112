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
from katafs.threads import insisting, started

PATIENCE_S = 1.0
"""A lane of which nothing comes for so long is stuck: then who doesn't want to wait any longer needn't."""
_LOOKS = 10
"""So often it is looked for that meanwhile. By the clock alone a lane would also be stuck where this process was
stopped, or had no processor; but then who looks has none either."""


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

    returned: int
    """How many of its calls have."""
    stuck_at: int
    """How many had when it was found to be stuck: when another has, it isn't any more. -1 of a new lane."""
    given_up: list[Patient]
    """Calls that are to be cancelled if it turns out to be stuck. Only `Patience` uses this and `stuck_at`."""


class Patience:
    """That of all lanes. Safe for several threads."""

    def __init__(self, seconds: float, thread_name: str) -> None:
        self._seconds = seconds
        self._thread_name = thread_name
        self._lock = threading.Lock()
        """Covers what each lane has given up."""

    def is_over(self, lane: Lane, call: Patient) -> bool:
        """Whether the lane is stuck, so that the call may be cancelled. Else that is seen to once it is."""
        if lane.stuck_at == lane.returned or self._seconds == 0:
            return True
        with self._lock:
            lane.given_up.append(call)
            if len(lane.given_up) > 1:
                return False
        try:
            started(functools.partial(self._look, lane), self._thread_name)
        except (NoThread, MemoryError):
            for each in self._given_up(lane):
                Future.cancel(each)
            return True
        return False

    def _look(self, lane: Lane) -> None:
        """Cancel what programs don't wait for any more, once the lane is stuck."""
        looks, returned = 0, lane.returned
        while looks < _LOOKS:
            time.sleep(self._seconds / _LOOKS)
            if insisting(functools.partial(self._nobody_waits, lane)):
                return
            looks = looks + 1 if lane.returned == returned else 0
            returned = lane.returned
        lane.stuck_at = returned
        for call in insisting(functools.partial(self._given_up, lane)):
            insisting(call.cancel)

    def _nobody_waits(self, lane: Lane) -> bool:
        """Whether all that was given up is done, or has begun: it can't be cancelled then, and may never end."""
        with self._lock:
            lane.given_up = [call for call in lane.given_up if not (call.running() or call.done())]
            return not lane.given_up

    def _given_up(self, lane: Lane) -> list[Patient]:
        with self._lock:
            calls, lane.given_up = lane.given_up, []
        return calls
