"""SIGUSR1: where every thread is, as lines of the log. For a daemon that seems to hang."""

import logging
import os
import signal
import sys
import threading
from types import FrameType

from katafs.threads import started

_log = logging.getLogger(__name__)

_SIGNAL = signal.SIGUSR1


def log_on_signal() -> None:
    """Log the stacks at each SIGUSR1 from now on. To be called before other threads are started. Raises NoThread.

    A thread waits for the signal: the main one may be what hangs."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [_SIGNAL])
    started(_wait, "katafs-stacks")


def _wait() -> None:
    while True:
        signal.sigwait([_SIGNAL])
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        for ident, frame in sys._current_frames().items():  # noqa: SLF001  documented, for debuggers
            _log.info("stack", extra={"of": names.get(ident, str(ident)), "at": _stack(frame)})


def _stack(frame: FrameType | None) -> str:
    """The calls of a thread, the innermost first: `katafs/rooted/names.py:40 look < katafs/tree/finder.py:88 find`."""
    calls = []
    while frame is not None:
        calls.append(f"{_short(frame.f_code.co_filename)}:{frame.f_lineno} {frame.f_code.co_name}")
        try:
            frame = frame.f_back
        except SystemError:  # PyPy's, where it has compiled the call and its caller as one
            calls.append("…")
            break
    return " < ".join(calls)


def _short(filename: str) -> str:
    """A file without the directories above its package."""
    return os.path.join(*filename.split(os.sep)[-3:])
