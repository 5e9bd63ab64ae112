"""How the binding's tasks take turns at reading requests: without rounds of the event loop for each one.

The binding waits for every request as trio's tasks do, with two rounds of the loop and a lock that is handed from task
to task: half of what a quick request costs. But the next request is mostly there a moment after the last reply. So it
is waited for at the descriptor itself, for that moment only and only while no thread's result is due. Knows nothing of
what is asked for.
"""

import select
import time
from collections.abc import Callable
from types import SimpleNamespace

import pyfuse3
import trio

_MOMENT_MS = 1
_LONGEST_TURN_S = 0.001
"""After so long the others have a turn, signals and finished threads too, however fast requests come."""


def take_over(nobody_waits: Callable[[], bool]) -> None:
    """Let the binding's tasks take turns so, from the next start of its loop on.

    `nobody_waits` tells whether no request's answer depends on the event loop. The binding reaches trio through a name
    of its module, which its own asyncio mode replaces in the same way."""
    poll = select.poll()

    async def wait_readable(descriptor: int) -> None:
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(_MOMENT_MS if nobody_waits() else 0):
            await trio.lowlevel.wait_readable(descriptor)

    lowlevel = SimpleNamespace(**{**vars(trio.lowlevel), "wait_readable": wait_readable})
    # Not in the binding's stubs, as nothing of how it works inside is.
    pyfuse3.trio = SimpleNamespace(**{**vars(trio), "lowlevel": lowlevel, "Lock": _Turn})  # type: ignore[attr-defined]


class _Turn:
    """The lock that a task holds while it waits for a request.

    Unlike trio's it isn't handed over where it is released: the task that has just answered goes on to read, and one
    that waits takes over when that task has to pause. Only the event loop's own thread uses it."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting = trio.lowlevel.ParkingLot()
        self._called = False
        """Whether a waiting task was woken that hasn't run yet."""
        self._paused_at = time.monotonic()

    async def __aenter__(self) -> None:
        # Here and not in wait_readable: whether the session has ended meanwhile is what the binding asks next.
        if time.monotonic() - self._paused_at > _LONGEST_TURN_S:
            await trio.lowlevel.checkpoint()
            self._paused_at = time.monotonic()
        while self._taken:
            try:
                await self._waiting.park()
            finally:
                self._called = False
        self._taken = True

    async def __aexit__(self, *_: object) -> None:
        self._taken = False
        if not self._called and self._waiting:
            self._called = True
            self._waiting.unpark()
