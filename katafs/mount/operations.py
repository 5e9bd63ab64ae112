"""The kernel's requests, each handed to the tree: at once where that is quick, in a pool where it may wait."""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from katafs.fuse.operations import NOW_NS as ASKED_NOW_NS
from katafs.fuse.operations import Absent, Answer, Later, Listing, Opened, Wanted, Who, Writing
from katafs.kata_id import VolumeName
from katafs.mount.answers import errno_of
from katafs.mount.lanes import Lanes
from katafs.mount.syncs import LastOpened, Syncs
from katafs.rooted.syscalls import NOW_NS
from katafs.tree.attributes import Attributes
from katafs.tree.inodes import Changes
from katafs.tree.nodes import Node
from katafs.tree.requests import Elsewhere
from katafs.tree.tree import Tree
from katafs.volumes.disks import Disk
from katafs.volumes.legacy_store import Unasked

_LONG_WRITE_BYTES = 256 * 1024
"""From here on a write takes longer than its way to another thread."""
_STORE_THREADS = 8
_STORE_THREADS_OF_ONE_DISK = 4
"""Before a volume is removed its disk is asked whether it is empty."""
_DISK_THREADS = 64
_THREADS_OF_ONE_VOLUME = 8
_FORGOTTEN_AT_ONCE = Absent(0.0)

Result = TypeVar("Result")


class Others(Protocol):
    """The other parts of the tree."""

    def enter(self, disk: Disk | None, parent: Node, name: bytes) -> Answer[Attributes]:
        """The entry of a volume on this disk, whose name is in a directory of this part."""

    def enter_made(self, disk: Disk | None, parent: Node, name: bytes) -> Attributes:
        """The same of one that was made just now; waits for its disk."""

    def forget(self, forgotten: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
        """Take back their lookups; which are this part's."""


class Operations:
    """One method a kind of request. The pools are apart, so that a slow engine doesn't use up the threads that fsync
    needs; and a volume has a share of those for disks, since it may have a disk of its own."""

    def __init__(self, tree: Tree, last_opened: LastOpened | None = None) -> None:
        """`last_opened` is shared with the other parts of the tree."""
        self._tree = tree
        self.parts: Others | None = None
        self.last_opened = last_opened or LastOpened()
        self._absent = self._lasting if tree.lookups.keeps_absence else lambda *_: _FORGOTTEN_AT_ONCE
        self._store_threads = Lanes("katafs-store", _STORE_THREADS, _STORE_THREADS_OF_ONE_DISK)
        self._disk_threads = Lanes("katafs-disk", _DISK_THREADS, _THREADS_OF_ONE_VOLUME)
        sync_threads = Lanes("katafs-sync", _DISK_THREADS, share=1)
        self._pools = [self._store_threads, self._disk_threads, sync_threads]
        self._syncs = Syncs(sync_threads, self._disk_threads, self.last_opened)

    def close(self, seconds: float) -> bool:
        """Begin nothing more, and wait for what was begun, so long at most; whether it needed no more."""
        deadline_s = time.monotonic() + seconds
        done = [pool.close(max(0.0, deadline_s - time.monotonic())) for pool in self._pools]
        return all(done)

    def _waiting_for_store(self, volume: VolumeName, call: Callable[[], Result]) -> Later[Result]:
        return Later(self._store_threads.of(self._tree.disk_of(volume)), call)

    def _waiting_for_disk(self, volume: VolumeName | None, call: Callable[[], Result]) -> Later[Result]:
        return Later(self._disk_threads.of(volume), call)

    def _volume_of_file(self, handle: int) -> VolumeName | None:
        return self._tree.files.handles[handle].node.volume

    def _volume_of_directory(self, handle: int) -> VolumeName | None:
        return self._tree.directories.handles[handle].node.volume

    # Names

    def lookup(self, parent: int, name: bytes) -> Answer[Attributes | Absent]:
        tree = self._tree
        if tree.tags.wait_for(parent, name):
            return self._waiting_for_disk(
                tree.volume_of(parent), lambda: tree.tags.lookup(parent, name) or self._absent(parent, name)
            )
        try:
            return tree.lookups.lookup(parent, name) or self._absent(parent, name)
        except Elsewhere as there:
            return self._entered(there, parent, name)

    def _lasting(self, parent: int, name: bytes) -> Absent:
        timeout_s = self._tree.lookups.absence_s(parent, name)
        return Absent(timeout_s) if timeout_s else _FORGOTTEN_AT_ONCE

    def _entered(self, there: Elsewhere, parent: int, name: bytes) -> Answer[Attributes]:
        return self._others(there).enter(there.disk, self._tree.node(parent), name)

    def _others(self, there: Elsewhere) -> Others:
        if self.parts is None:
            raise there
        return self.parts

    def mknod(self, parent: int, name: bytes, mode: int, device: int, who: Who) -> Answer[Attributes]:
        return self._tree.creation.mknod(parent, name, mode, device, who)

    def mkdir(self, parent: int, name: bytes, mode: int, who: Who) -> Answer[Attributes]:
        volume = self._tree.volumes.made_by_mkdir(parent, name)
        if volume is None:
            return self._tree.creation.mkdir(parent, name, mode & 0o7777, who)
        return self._waiting_for_store(volume, partial(self._made, volume, parent, name, mode, who))

    def _made(self, volume: VolumeName, parent: int, name: bytes, mode: int, who: Who) -> Attributes:
        try:
            return self._tree.volumes.make(volume, parent, name, mode, who)
        except Elsewhere as there:
            return self._others(there).enter_made(there.disk, self._tree.node(parent), name)

    def symlink(self, parent: int, name: bytes, target: bytes, who: Who) -> Answer[Attributes]:
        return self._tree.creation.symlink(parent, name, target, who)

    def link(self, number: int, parent: int, name: bytes) -> Answer[Attributes]:
        return self._tree.creation.link(number, parent, name)

    def unlink(self, parent: int, name: bytes) -> Answer[None]:
        self._tree.removal.unlink(parent, name)
        return None

    def rmdir(self, parent: int, name: bytes) -> Answer[None]:
        volume = self._tree.volumes.removed_by_rmdir(parent, name)
        if volume is None:
            self._tree.removal.rmdir(parent, name)
            return None
        return self._waiting_for_store(volume, partial(self._tree.volumes.remove, volume, parent, name))

    def rename(self, old: tuple[int, bytes], new: tuple[int, bytes], flags: int) -> Answer[None]:
        self._tree.removal.rename(old, new, flags)
        return None

    def forget(self, forgotten: Sequence[tuple[int, int]]) -> None:
        # The other parts first: what this one has forgotten may be another's a moment later.
        self._tree.forget(forgotten if self.parts is None else self.parts.forget(forgotten))

    # Inodes

    def getattr(self, number: int) -> Answer[Attributes]:
        if self._tree.tags.show(number):
            return self._waiting_for_disk(self._tree.volume_of(number), partial(self._tree.tags.getattr, number))
        return self._tree.inodes.getattr(number)

    def getattr_for_pages(self, number: int) -> Answer[Attributes]:
        if self._tree.tags.show(number):
            return self.getattr(number)
        return self._tree.inodes.getattr_for_pages(number)

    def setattr(self, number: int, wanted: Wanted, handle: int | None, who: Who) -> Answer[Attributes]:
        changes = Changes(*wanted[:4], _time_ns(wanted.atime_ns), _time_ns(wanted.mtime_ns))
        return self._tree.inodes.setattr(number, changes, handle, who)

    def readlink(self, number: int) -> Answer[bytes]:
        return self._tree.inodes.readlink(number)

    def statfs(self, number: int) -> Answer[os.statvfs_result]:
        return self._tree.inodes.statfs(number)

    def getxattr(self, number: int, name: bytes, who: Who) -> Answer[bytes | None]:
        return self._tree.inodes.getxattr(number, name, who)

    def setxattr(self, number: int, name: bytes, value: bytes, flags: int, who: Who) -> Answer[None]:
        self._tree.inodes.setxattr(number, name, value, flags, who)
        return None

    def listxattr(self, number: int, who: Who) -> Answer[Sequence[bytes]]:
        return self._tree.inodes.listxattr(number, who)

    def removexattr(self, number: int, name: bytes, who: Who) -> Answer[None]:
        self._tree.inodes.removexattr(number, name, who)
        return None

    # Open files

    def open(self, number: int, flags: int, who: Who) -> Answer[Opened]:
        if self._tree.tags.show(number):
            return self._waiting_for_disk(
                self._tree.volume_of(number), lambda: self._opened(self._tree.tags.open(number, flags))
            )
        return self._opened(self._tree.files.open(number, flags, who))

    def _opened(self, handle: int, told: Attributes | None = None) -> Opened:
        file = self._tree.files.handles[handle]
        node = file.node
        self.last_opened.volume = node.volume
        is_live = self._tree.is_live(node) if told is None else not told.timeout_s
        descriptor = None if file.asks else file.descriptor
        uncached = is_live or file.uncached
        return Opened(handle, file.keeps and not is_live, (node.number, node.generation), descriptor, uncached)

    def create(self, parent: int, name: bytes, flags: int, mode: int, who: Who) -> Answer[tuple[Attributes, Opened]]:
        handle, told = self._tree.files.create(parent, name, flags, mode, who)
        return told, self._opened(handle, told)

    def read(self, handle: int, offset: int, size_bytes: int) -> Answer[bytes]:
        return self._tree.files.read(handle, offset, size_bytes)

    def write(self, handle: int, offset: int, content: memoryview, how: Writing) -> Answer[int]:
        waits = how.synced or self._tree.files.waits(handle)
        write = partial(self._tree.files.write, handle, offset, content, **how._asdict())
        if not waits and len(content) < _LONG_WRITE_BYTES:
            return write()
        waiting_for = self._syncs.waiting if waits else self._waiting_for_disk
        return waiting_for(self._volume_of_file(handle), write)

    def fsync(self, handle: int, *, data_only: bool) -> Answer[None]:
        call = partial(self._tree.files.fsync, handle, data_only=data_only)
        return self._syncs.waiting(self._volume_of_file(handle), call)

    def allocate(self, handle: int, offset: int, size_bytes: int, mode: int) -> Answer[None]:
        call = partial(self._tree.files.allocate, handle, offset, size_bytes, mode)
        return self._waiting_for_disk(self._volume_of_file(handle), call)

    def seek(self, handle: int, offset: int, whence: int) -> Answer[int]:
        return self._tree.files.seek(handle, offset, whence)

    def release(self, handle: int) -> None:
        self._tree.files.release(handle)

    # Open directories

    def opendir(self, number: int) -> Answer[int]:
        handle = self._tree.directories.open(number)
        self.last_opened.volume = self._volume_of_directory(handle)
        return handle

    def readdir(self, handle: int, start: int, listing: Listing) -> Answer[None]:
        if self._tree.directories.waits(handle):
            return self._waiting_for_disk(
                self._volume_of_directory(handle), partial(self._list, handle, start, listing)
            )
        self._list(handle, start, listing)
        return None

    def _list(self, handle: int, start: int, listing: Listing) -> None:
        try:
            self._tree.directories.fill(handle, start, listing)
        except Unasked:
            if listing.is_empty():
                raise
        except Exception as error:
            # The entries that the kernel is to take are lookups, which an error would keep from it. The next reading
            # begins with what failed, and answers so.
            if listing.is_empty():
                raise
            errno_of("readdir", error)

    def fsyncdir(self, handle: int) -> Answer[None]:
        call = partial(self._tree.directories.fsync, handle)
        return self._syncs.waiting(self._volume_of_directory(handle), call)

    def releasedir(self, handle: int) -> None:
        self._tree.directories.release(handle)


def _time_ns(asked_ns: int | None) -> int | None:
    return NOW_NS if asked_ns == ASKED_NOW_NS else asked_ns
