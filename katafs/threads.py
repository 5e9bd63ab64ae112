"""Threads of which it is known that they run, and go on. Knows nothing of what they do."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from katafs.errors import NoThread

Result = TypeVar("Result")

_MEMORY_PAUSE_S = 0.1
_PATIENCE_S = 5.0
"""A thread that hasn't begun by then had no memory for it, on however busy a machine."""


def started(target: Callable[[], object], name: str) -> threading.Thread:
    """A new thread that runs `target`; the process's end doesn't wait for it. Raises NoThread: then it never will run.

    Thread.start() alone waits for ever for one that has no memory to begin (python/cpython issue 140746)."""
    begun, mine = threading.Lock(), threading.Lock()
    begun.acquire()

    def run() -> None:
        if mine.acquire(blocking=False):
            begun.release()
            target()

    try:
        thread = threading.Thread(target=run, name=name, daemon=True)
        _wait_for_nothing(thread)
        thread.start()
    except (RuntimeError, MemoryError) as problem:
        raise NoThread(f"no thread can be had: {str(problem) or 'no memory'}") from None
    if not begun.acquire(timeout=_PATIENCE_S) and mine.acquire(blocking=False):
        raise NoThread("no thread can be had: a new one had no memory to begin")
    return thread


def _wait_for_nothing(thread: threading.Thread) -> None:
    """Let start() return at once. There is no public way: a thread that isn't made by Thread has neither a name nor an
    end to wait for. A Python that has no such event any more waits in another way, for what has died, too."""
    event = vars(thread).get("_started")
    if event is not None:
        event.wait = lambda: True


def joined(threads: Sequence[threading.Thread], seconds: float) -> bool:
    """Wait for all of them, so long at most; whether they have all come to their end."""
    deadline_s = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline_s - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def insisting(step: Callable[[], Result]) -> Result:
    """Take the step, when there is memory for it: where a thread ended here instead, those who count on it would wait
    for ever."""
    while True:
        try:
            return step()
        except MemoryError:
            time.sleep(_MEMORY_PAUSE_S)
