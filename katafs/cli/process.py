"""What this process asks of the system for itself."""

import ctypes
import resource

_M_ARENA_MAX = -8
"""malloc.h"""


def raised_limit() -> int:
    """Raise the limit of descriptors (setrlimit(2), RLIMIT_NOFILE) to what is allowed, and answer with it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def share_one_heap() -> None:
    """Let all threads allocate from one heap (mallopt(3)). Else glibc makes one for every few threads, in which what is
    free stays: it grew by a third in an hour. Python has one lock for its threads, so none waits longer for it.

    Only before there are threads. Another C library has no such option, and needs none."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
