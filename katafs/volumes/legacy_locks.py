"""The locks by which everybody who serves or converts a legacy disk takes turns, also between processes.

They are byte ranges of one file on that disk (fcntl(2), open file description locks), so they end with whoever holds
them, however that ends, and they are where the data is: a container that has the disk meets them too. Each piece of the
disk has two bytes, and the first byte of the file says that somebody is there at all.
"""

import contextlib
import errno
import fcntl
import logging
import os
import stat
import struct
from collections import Counter
from collections.abc import Iterator

from katafs.errors import StoreUnreachable
from katafs.rooted import files, inodes
from katafs.rooted.answer import answer

_log = logging.getLogger(__name__)

LOCK_FILE = b".katafs-lock"
MOST_CLAIMS = 64
"""A converter claims so many pieces at a time at most."""
_MODE = 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_PRESENCE = 0
_FLOCK = "hhqqi4x"
"""struct flock of every 64-bit Linux: type, whence, start, length, pid."""
_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Locks:
    """The locks of one disk. A lock belongs to a descriptor, so each claim has one of its own."""

    def __init__(self, directory: int, *, make: bool = True) -> None:
        """`directory` is the top of the disk, which must stay open. Raises OSError where no lock can be kept there, and
        StoreUnreachable, as all that locks, for a file that others can lock."""
        self._directory = directory
        if not make and (there := files.status_of(directory, LOCK_FILE)) is not None:
            _refuse_others(there)
        self._descriptor = self._made() if make else None
        """None on a read-only disk, of which nobody can convert anything, and for who only looks."""
        self._held: Counter[int] = Counter()
        """How many in this process read each piece; the kernel would count them as one."""

    @property
    def identity(self) -> bytes:
        """What tells this disk from every other one, also after a restart of the machine, until its file of locks is
        deleted: fit for a part of a name."""
        if self._descriptor is not None:
            status = os.fstat(self._descriptor)
        else:
            status = files.status_of(self._directory, LOCK_FILE) or os.fstat(self._directory)
        return f"{status.st_ino:x}-{status.st_mtime_ns:x}".encode()

    @contextlib.contextmanager
    def claim(self, key: int) -> Iterator[None]:
        """Be the only one who converts the piece; waits for another who does. On a read-only disk nobody can."""
        if self._descriptor is None:
            yield
            return
        descriptor = self._opened()
        try:
            _lock(descriptor, fcntl.F_WRLCK, _claimed(key), wait=True)
            yield
        finally:
            os.close(descriptor)

    def hold(self, key: int) -> bool:
        """Read the piece: until `release`, what was moved aside isn't deleted. Never waits; False where it is being
        deleted. Not safe for several threads at once."""
        if not self._held[key] and self._descriptor is not None:
            try:
                _lock(self._descriptor, fcntl.F_RDLCK, _read(key), wait=False)
            except BlockingIOError:
                del self._held[key]
                return False
        self._held[key] += 1
        return True

    def release(self, key: int) -> None:
        """End what `hold` began. Where the disk refuses that, the lock ends with the next release of the piece, or with
        this process: what was read meanwhile was read."""
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]
            if self._descriptor is not None:
                try:
                    _lock(self._descriptor, fcntl.F_UNLCK, _read(key), wait=False)
                except OSError as problem:
                    _log.warning("a lock on the old disk can't be given back", extra={"error": str(problem)})

    def wait_for_readers(self, key: int) -> None:
        """Wait until whoever began to read the piece before now has ended."""
        if self._descriptor is None:
            return
        descriptor = self._opened()
        try:
            _lock(descriptor, fcntl.F_WRLCK, _read(key), wait=True)
        finally:
            os.close(descriptor)

    def remove_if_alone(self) -> None:
        """Delete the file, unless somebody else has it: for when nothing is left on the disk to take turns over.
        Nothing may be held through this object afterwards."""
        if self._descriptor is None:
            return
        _lock(self._descriptor, fcntl.F_UNLCK, _PRESENCE, wait=False)
        try:
            _lock(self._descriptor, fcntl.F_WRLCK, _PRESENCE, wait=False)
        except BlockingIOError:
            return
        if self._is_in_place(self._descriptor):  # else another was quicker, and a third may have made a new one
            os.unlink(LOCK_FILE, dir_fd=self._directory)

    def close(self) -> None:
        """Let go of everything."""
        if self._descriptor is not None:
            os.close(self._descriptor)

    def _made(self) -> int | None:
        try:
            inodes.give_times_back(self._directory)
            if files.status_of(self._directory, LOCK_FILE) is not None:
                return self._opened()
            with inodes.times_kept_through_kills(self._directory):
                descriptor = self._opened()
            # What is kept of the disk's identity in a store is to be true after a power cut as well.
            os.fsync(descriptor)
            files.sync_directory(self._directory)
            return descriptor
        except OSError as problem:
            if problem.errno == errno.EROFS:
                return None
            raise

    def _opened(self) -> int:
        """A new descriptor of the file, which is there as long as this is open."""
        while True:
            descriptor = os.open(LOCK_FILE, _OPEN, _MODE, dir_fd=self._directory)
            try:
                _refuse_others(os.fstat(descriptor))
                _lock(descriptor, fcntl.F_RDLCK, _PRESENCE, wait=True)
                if self._is_in_place(descriptor):
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _is_in_place(self, descriptor: int) -> bool:
        try:
            here = os.stat(LOCK_FILE, dir_fd=self._directory, follow_symlinks=False)
            return os.path.samestat(here, os.fstat(descriptor))
        except FileNotFoundError:
            return False


def _refuse_others(opened: os.stat_result) -> None:
    """The disk's owner may have put a file of their own there, and whoever can open it can have everybody wait."""
    if not stat.S_ISREG(opened.st_mode):
        raise answer(errno.EINVAL, LOCK_FILE)
    if opened.st_uid != os.geteuid() or opened.st_mode & _OTHERS:
        whose = f"user {opened.st_uid}, mode {stat.S_IMODE(opened.st_mode):04o}"
        raise StoreUnreachable(
            f"{os.fsdecode(LOCK_FILE)} on the old disk can be locked by others ({whose}): delete it while nothing else "
            "of katafs uses that disk; if it is so again then, the disk keeps no owners: use a copy on one that does"
        )


def _claimed(key: int) -> int:
    return 2 * key + 2


def _read(key: int) -> int:
    return 2 * key + 3


def _lock(descriptor: int, kind: int, start: int, *, wait: bool) -> None:
    command = fcntl.F_OFD_SETLKW if wait else fcntl.F_OFD_SETLK
    fcntl.fcntl(descriptor, command, struct.pack(_FLOCK, kind, os.SEEK_SET, start, 1, 0))
