"""Waits on a condition with a deadline: the only place where the tests sleep."""

import time
from collections.abc import Callable

DEADLINE_S = 60.0
"""Long enough for a loaded machine; a wait that is fulfilled costs nothing of it."""

_STEP_S = 0.005


def holds_within(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came to hold before the deadline, or a stop of this very process that lasted beyond it."""
    end = time.monotonic() + seconds
    while True:
        is_last = time.monotonic() > end  # asked first: who got no processor for so long looks once more
        if condition():
            return True
        if is_last:
            return False
        time.sleep(_STEP_S)


def until(condition: Callable[[], bool], what: str, seconds: float = DEADLINE_S) -> None:
    """Return as soon as the condition holds. Raises AssertionError, naming `what`, at the deadline."""
    if not holds_within(condition, seconds):
        raise AssertionError(f"waited {seconds:g} s in vain for: {what}")
