"""What this process asks of the system for itself."""

import contextlib
import ctypes
import fcntl
import os
import resource
import signal
import struct
import sys
from typing import NoReturn

_M_ARENA_MAX = -8
"""malloc.h"""
_CAPABILITY_VERSION_3 = 0x20080522
_CAPABILITY_SETS = struct.Struct("=6I")
"""Effective, permitted and inheritable, the lower 32 of each and then the others (capget(2))."""
_CAP_SYS_RESOURCE = 1 << 24


def fill_standard_streams() -> None:
    """Open /dev/null as each of stdin, stdout and stderr that was closed when the program began. Else what is opened
    next has its number: a volume, say, that a child writes its errors to, or a pipe that is closed with the terminal.

    Python has taken them for missing by then: `sys.stdout` stays None."""
    for stream in range(3):
        try:
            os.fstat(stream)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free


def end_by(number: int) -> NoReturn:
    """End by this signal, as a program without a handler of it: whoever waits for it sees that it was stopped. A shell
    ends its loop with a program that SIGINT has ended, and goes on after one that took it for its orderly end. The
    first process of a container, which no signal of its own ends, exits with what a shell makes of the signal."""
    if sys.stdout is not None:  # it was closed when the program began
        sys.stdout.flush()
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    sys.exit(128 + number)


def raised_limit() -> int:
    """Raise the limit of descriptors (setrlimit(2), RLIMIT_NOFILE) to what is allowed, and answer with it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def make_room_for_descriptors(count: int) -> None:
    """Have the kernel's table of this process's descriptors hold so many, or as many as are allowed, from now on. It
    doubles it else when it is full, and with threads that takes 5 to 15 ms, in which whoever opens something waits
    (expand_fdtable() in Linux's fs/file.c: it waits for RCU).

    Only before there are threads, and after the last fork(2), which makes a table that just fits."""
    any_descriptor = os.open("/", os.O_PATH | os.O_CLOEXEC)
    last = min(count, raised_limit()) - 1
    with contextlib.suppress(OSError):  # the last one is taken, so that there is room
        os.close(fcntl.fcntl(any_descriptor, fcntl.F_DUPFD_CLOEXEC, last))
    os.close(any_descriptor)


def share_one_heap() -> None:
    """Let all threads allocate from one heap (mallopt(3)). Else glibc makes one for every few threads, in which what is
    free stays: it grew by a third in an hour. Python has one lock for its threads, so none waits longer for it.

    Only before there are threads. Another C library has no such option, and needs none."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def obey_quotas() -> None:
    """Give up CAP_SYS_RESOURCE: whoever has it may exceed ext4's quotas (ignore_hardlimit() in Linux's
    fs/quota/dquot.c), and so could all who write through the mount. Raises OSError.

    Only before there are threads: they have what this one has."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), ctypes.create_string_buffer(_CAPABILITY_SETS.size)
    if libc.capget(header, sets) == 0:
        effective, permitted, *rest = _CAPABILITY_SETS.unpack(sets.raw)
        sets.raw = _CAPABILITY_SETS.pack(effective & ~_CAP_SYS_RESOURCE, permitted & ~_CAP_SYS_RESOURCE, *rest)
        if libc.capset(header, sets) == 0:
            return
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))
