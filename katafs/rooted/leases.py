"""Whether anybody writes to the files of a tree: asked of the kernel, by read leases (fcntl(2), F_SETLEASE).

A read lease is only given on a file that nobody has open for writing, and it ends as soon as somebody asks to.
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
from katafs.rooted.walks import Entry, meet, top_entry, walk


class Leases:
    """The leases on a tree's files, as long as it is held still."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []

    def take(self, entry: Entry) -> None:
        """Have a lease on a file. Raises OSError(EBUSY) with its path where somebody has it open for writing."""
        try:
            descriptor = inodes.open_again(entry.descriptor, os.O_RDONLY)
            self._descriptors.append(descriptor)
            # Whoever opens the file later waits for the lease's end, and this process gets a signal that it can ignore:
            # the usual one, SIGIO, would end it.
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError as problem:
            busy = problem.errno == errno.EAGAIN
            raise answer(errno.EBUSY if busy else problem.errno or errno.EIO, entry.path) from problem

    def broken(self) -> bool:
        """Whether anybody has asked meanwhile to write to one of the files."""
        return any(fcntl.fcntl(descriptor, fcntl.F_GETLEASE) != fcntl.F_RDLCK for descriptor in self._descriptors)

    def close(self) -> None:
        """Let everybody go on."""
        while self._descriptors:
            os.close(self._descriptors.pop())


@contextlib.contextmanager
def held_still(directory: int, name: bytes) -> Iterator[Leases]:
    """Have a lease on every regular file of what the name stands for; one that asks to write then waits for the end.

    Raises OSError(EBUSY) with the path of a file that is open for writing, and as `walk` does: OSError(EMFILE) where
    there are more files than may be open at once."""
    leases = Leases()
    above = top_entry(directory)
    try:
        top = meet(above, name)
        try:
            if not top.is_directory:
                _take(leases, top)
            else:
                with contextlib.closing(walk(top.descriptor)) as steps:
                    for entry, leaving in steps:
                        if not leaving:
                            _take(leases, entry)
        finally:
            os.close(top.descriptor)
        yield leases
    finally:
        os.close(above.descriptor)
        leases.close()


def _take(leases: Leases, entry: Entry) -> None:
    if stat.S_ISREG(entry.status.st_mode):
        leases.take(entry)
