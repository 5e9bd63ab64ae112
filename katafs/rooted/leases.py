"""Read leases on the files of a tree: they tell whether anybody writes to one, which no status does for certain.

A descriptor that is open for writing, and a shared mapping that can be written through, keep the kernel from giving a
read lease; an attempt to open or truncate a file breaks it (fcntl(2), F_SETLEASE). Nothing tells of new names.
"""

import contextlib
import errno
import fcntl
import os
import signal
import stat
from collections.abc import Iterator

from katafs.rooted import inodes
from katafs.rooted.answer import answer
from katafs.rooted.walks import Entry, met, walk


class Leases:
    """The leases on the files of a tree."""

    def __init__(self, held: list[int]) -> None:
        self._held = held

    def broken(self) -> bool:
        """Whether anybody has tried to open or truncate one of the files for writing since the leases were taken."""
        return any(fcntl.fcntl(descriptor, fcntl.F_GETLEASE) != fcntl.F_RDLCK for descriptor in self._held)


@contextlib.contextmanager
def held_still(directory: int) -> Iterator[Leases]:
    """Hold a read lease on every regular file below a directory's descriptor while the block runs.

    A writer waits for the end of the block, and no longer than /proc/sys/fs/lease-break-time; then it goes on, and
    `broken` says so. The block itself must not write to the files, or it would wait for itself.

    Raises OSError with the path below the top as its filename: EBUSY for a file that somebody has open for writing or
    under a lease, EMFILE for more files than may be open at once (RLIMIT_NOFILE), and else as `walks.walk`."""
    held: list[int] = []
    seen: set[tuple[int, int]] = set()
    with _released(held):
        with contextlib.closing(walk(directory)) as steps:
            for entry, _ in steps:
                identity = (entry.status.st_dev, entry.status.st_ino)
                if stat.S_ISREG(entry.status.st_mode) and identity not in seen:
                    seen.add(identity)
                    held.append(_leased(entry))
        yield Leases(held)


@contextlib.contextmanager
def entry_held_still(directory: int, name: bytes) -> Iterator[Leases]:
    """The same for one entry that isn't a directory, whose name is then its path."""
    held: list[int] = []
    with _released(held):
        with met(directory, name) as entry:
            if stat.S_ISREG(entry.status.st_mode):
                held.append(_leased(entry))
        yield Leases(held)


@contextlib.contextmanager
def _released(held: list[int]) -> Iterator[None]:
    try:
        yield
    finally:
        for descriptor in held:
            os.close(descriptor)  # which ends its lease


def _leased(entry: Entry) -> int:
    try:
        descriptor = inodes.open_again(entry.descriptor, os.O_RDONLY | os.O_NOATIME)
        try:
            # Before the lease: the signal of a broken lease is SIGIO, which ends a process that doesn't expect it, and
            # SIGURG is one that nobody notices (signal(7)).
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as problem:
        raise (answer(errno.EBUSY, entry.path) if problem.errno == errno.EAGAIN else entry.located(problem)) from None
    return descriptor
