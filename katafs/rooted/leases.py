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
from katafs.rooted.walks import Entry


class Leases:
    """The leases on the files of a tree, which end with `close`.

    A writer waits until then, and no longer than /proc/sys/fs/lease-break-time; after that it goes on, and `broken`
    says so. Who holds them must not write to the files, or it would wait for itself."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], int] = {}

    @contextlib.contextmanager
    def take(self, entry: Entry) -> Iterator[None]:
        """Have everybody wait who wants to write to an entry, unless it is no regular file; the block changes nothing.

        Raises OSError with the path below the top as its filename: EBUSY where somebody has it open for writing or
        under a lease, EMFILE for more files than may be open at once (RLIMIT_NOFILE)."""
        if stat.S_ISREG(entry.status.st_mode) and entry.identity not in self._held:
            self._held[entry.identity] = _leased(entry)
        yield

    def broken(self) -> bool:
        """Whether anybody has tried to open or truncate one of the files for writing since the leases were taken."""
        return any(fcntl.fcntl(descriptor, fcntl.F_GETLEASE) != fcntl.F_RDLCK for descriptor in self._held.values())

    def close(self) -> None:
        """Let the writers go on."""
        while self._held:
            os.close(self._held.popitem()[1])


@contextlib.contextmanager
def refuse_writer(entry: Entry) -> Iterator[None]:
    """Raise as `Leases.take` does, and have everybody wait who wants to write for no longer than the block."""
    descriptor = _leased(entry) if stat.S_ISREG(entry.status.st_mode) else None
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


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
