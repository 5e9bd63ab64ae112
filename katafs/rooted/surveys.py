"""What a whole tree comes to, and whether it has changed since. Reads no file and changes nothing, atimes included."""

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass

from katafs.rooted import inodes
from katafs.rooted.seen import Seen
from katafs.rooted.walks import Entry, met, walk

_BLOCK_BYTES = 512
"""st_blocks counts these, whatever blocks the file system has (stat(2))."""

Hold = Callable[[Entry], contextlib.AbstractContextManager[None]]
"""What an entry is in while it is asked for the status that goes into a survey: what is written through a mapping that
was made before that status shows in no later one."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a walk through a tree found. `fingerprint` is only good for == with another survey's."""

    entries: int
    """All names below the top, which isn't one of them."""
    size_bytes: int
    """The sizes (st_size, holes too) of the regular files, each once however many names it has."""
    inodes: int
    """What all that is, the top included, each once however many names it has."""
    disk_bytes: int
    """What they take of their disk, as du(1) tells it."""
    devices: tuple[bytes, ...]
    """The paths of device nodes, below the top."""
    fingerprint: bytes


def survey(directory: int, seen: Seen | None = None, hold: Hold | None = None) -> Survey:
    """Walk the whole tree below a descriptor, which may be an O_PATH one, and follow nothing. `seen` takes it in.

    The fingerprint changes with each write and each change of an entry: it is a digest of all names, inode numbers,
    modes, owners, sizes, mtimes and ctimes. Of the top directory ctime is left out, since a rename changes it; its
    xattrs are read instead. It can't see a write through a shared mapping to a page that was written through it just
    before: mtime moves when the page is next written back or synced (mmap(2), MAP_SHARED).

    Raises OSError with the path below the top as its filename: EXDEV where something is mounted, EACCES and others for
    what can't be read, ENOENT for what was removed meanwhile."""
    entries = size_bytes = inode_count = disk_bytes = 0
    devices: list[bytes] = []
    linked: set[int] = set()
    """The inodes with several names that have been counted."""
    digest = hashlib.blake2b(digest_size=32)
    with contextlib.closing(walk(directory)) as steps:
        for entry, leaving in steps:
            if leaving:
                digest.update(b")")
                continue
            status = _held(entry, hold)
            digest.update(_record(entry, status))
            if seen is not None:
                seen.add(status)
            entries += entry.above is not None
            if entry.is_directory or status.st_ino not in linked:
                inode_count += 1
                disk_bytes += _on_disk(status)
                size_bytes += _size(status)
                if status.st_nlink > 1 and not entry.is_directory:
                    linked.add(status.st_ino)
            if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
                devices.append(entry.path)
    return Survey(entries, size_bytes, inode_count, disk_bytes, tuple(devices), digest.digest())


def last_change(directory: int) -> bytes:
    """What is another after any change in a tree: a digest, in hexadecimal, of all names, inode numbers and ctimes
    below the top, and of the top's mtime, since a rename and an xattr change its ctime. Not the newest of them: a clock
    that is set back, or an mtime from the future, would hide what comes after. Raises as `survey`."""
    digest = hashlib.blake2b(digest_size=16)
    with contextlib.closing(walk(directory)) as steps:
        for entry, leaving in steps:
            if leaving:
                digest.update(b")")
                continue
            status = _settled(entry, entry.status) if entry.above else entry.status
            time_ns = status.st_ctime_ns if entry.above else status.st_mtime_ns
            digest.update(b"%d %d %d " % (len(entry.name), status.st_ino, time_ns) + entry.name)
    return digest.hexdigest().encode()


def survey_entry(directory: int, name: bytes, hold: Hold | None) -> Survey:
    """A survey of one entry that isn't a directory, which is then the top. Raises as `survey`."""
    with met(directory, name) as entry:
        status = _held(entry, hold)
        # For a top its own name is no part of the record, which stays the same when it is moved.
        record = _record(Entry(b"", None, entry.descriptor, status), status)
    devices = (name,) if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode) else ()
    fingerprint = hashlib.blake2b(record, digest_size=32).digest()
    return Survey(0, _size(status), 1, _on_disk(status), devices, fingerprint)


def _size(status: os.stat_result) -> int:
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _on_disk(status: os.stat_result) -> int:
    return status.st_blocks * _BLOCK_BYTES


def _held(entry: Entry, hold: Hold | None) -> os.stat_result:
    if hold is None:
        return _settled(entry, entry.status)
    with hold(entry):
        return _settled(entry, os.fstat(entry.descriptor))


def _settled(entry: Entry, status: os.stat_result) -> os.stat_result:
    """A status that every later change will differ from: what has changed in this tick is asked again in the next one.
    What comes from the future isn't waited for: where the clock was set back, a change gives it an earlier ctime."""
    if status.st_ctime_ns - time.time_ns() > inodes.CTIME_GRAIN_NS:
        return status
    started_ns = time.monotonic_ns()
    while not inodes.is_settled(status) and time.monotonic_ns() - started_ns < inodes.CTIME_GRAIN_NS:
        time.sleep(0.001)
        tick_ns = time.clock_gettime_ns(_COARSE)
        status = os.fstat(entry.descriptor)
        if status.st_ctime_ns < tick_ns:
            break
    return status


_COARSE = getattr(time, "CLOCK_REALTIME_COARSE", 5)
"""The clock of the file systems' stamps (clock_gettime(2)); Python has no name for it."""


def _record(entry: Entry, status: os.stat_result) -> bytes:
    """The bytes of an entry that no two different ones share: lengths come before what they are of."""
    is_top = entry.above is None
    numbers = (
        len(entry.name),
        status.st_ino,
        status.st_mode,
        status.st_uid,
        status.st_size,
        status.st_mtime_ns,
        0 if is_top else status.st_ctime_ns,
        status.st_gid,
    )
    # As text: a time may have more than 64 bits.
    return b"%d %d %d %d %d %d %d %d " % numbers + entry.name + (_xattrs(entry) if is_top else b"")


def _xattrs(entry: Entry) -> bytes:
    try:
        return repr(sorted(inodes.all_xattrs(entry.descriptor).items())).encode()
    except OSError as problem:
        raise entry.located(problem) from None
