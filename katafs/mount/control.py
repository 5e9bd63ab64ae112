"""The directory `.katafs` at the top of a mount: operations that answer for it, and hand everything else on.

It is found when it is named and never listed, its files can be read by whom the daemon runs as, and nothing in it
changes. A volume's own `.katafs` goes first: nothing that somebody keeps is hidden by it. Knows nothing of what its
files say.
"""

import errno
import functools
import itertools
import os
import stat
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from katafs.errors import KatafsError
from katafs.fuse.operations import Absent, Answer, Later, Listing, Opened, Operations, Wanted, Who
from katafs.fuse.operations import Attributes as Told
from katafs.rooted.answer import answer
from katafs.tree.attributes import VIRTUAL_LINKS, Attributes, made_up
from katafs.tree.nodes import ROOT_NUMBER
from katafs.tree.numbers import NOBODYS

NAME = b".katafs"
DIRECTORY_NUMBER, *_FILE_NUMBERS = NOBODYS
_DIRECTORY_MODE = stat.S_IFDIR | 0o500
_FILE_MODE = stat.S_IFREG | 0o400
_BLOCK_BYTES = 4096


class Reading(Protocol):
    """An open file of the directory."""

    def read(self, offset: int, size_bytes: int) -> Answer[bytes]:
        """What comes next, nothing at the end. The offset is where the last reading ended."""

    def close(self) -> None:
        """Nobody reads any more."""


Made = Callable[[], Answer[Reading]]
"""Opens a file that is made up as it is read."""


class Control:
    """The operations of a mount, with the directory."""

    def __init__(self, served: Operations) -> None:
        self._served = served
        self._files: dict[bytes, int] = {}
        self._made: dict[int, Made] = {}
        self._ours = {DIRECTORY_NUMBER}
        self._handles = itertools.count(NOBODYS.stop)
        self._open: dict[int, Reading] = {}
        """The open files. A look at one, and its setting and removing, are one step each."""
        self._started_ns = time.time_ns()
        # What can't be about the directory isn't looked at here.
        self.forget = served.forget
        self.readlink = served.readlink
        self.write = served.write
        self.fsync = served.fsync
        self.allocate = served.allocate
        self.seek = served.seek
        self.statfs = served.statfs

    def show(self, name: bytes, made: Made) -> None:
        """Add a file. Only before anything is served."""
        number = _FILE_NUMBERS[len(self._files)]
        self._files[name], self._made[number] = number, made
        self._ours.add(number)

    def owns(self, number: int) -> bool:
        """Whether an inode is the directory or in it."""
        return number in self._ours

    # Names

    def lookup(self, parent: int, name: bytes) -> Answer[Told | Absent]:
        if name == NAME and parent == ROOT_NUMBER:
            return self._kept() or self._told(DIRECTORY_NUMBER)
        if parent == DIRECTORY_NUMBER:
            number = self._files.get(name)
            return Absent(0.0) if number is None else self._told(number)
        return self._served.lookup(parent, name)

    def _kept(self) -> Told | None:
        """The entry of a volume's own `.katafs`. What can't be asked has none: then the directory is needed most."""
        try:
            found: Answer[Told | Absent] = self._served.lookup(ROOT_NUMBER, NAME)
            while isinstance(found, Later):
                found = found.call()
        except (KatafsError, OSError):
            return None
        return None if isinstance(found, Absent) else found

    def _told(self, number: int) -> Attributes:
        mode, links = (_DIRECTORY_MODE, VIRTUAL_LINKS) if number == DIRECTORY_NUMBER else (_FILE_MODE, 1)
        status = made_up(mode, (os.geteuid(), os.getegid()), 0, _BLOCK_BYTES, self._started_ns)
        return Attributes(number, 0, status, links, self._started_ns, 0.0)

    def _refuse(self, parent: int, name: bytes) -> None:
        """Raises OSError(EROFS) for a change of the directory."""
        if parent == DIRECTORY_NUMBER or (name == NAME and parent == ROOT_NUMBER and self._is_ours()):
            raise answer(errno.EROFS, name)

    def _is_ours(self) -> bool:
        kept = self._kept()
        if kept is not None:
            self._served.forget([(kept.number, 1)])  # the kernel doesn't learn of this lookup
        return kept is None

    def mknod(self, parent: int, name: bytes, mode: int, device: int, who: Who) -> Answer[Told]:
        self._refuse(parent, name)
        return self._served.mknod(parent, name, mode, device, who)

    def mkdir(self, parent: int, name: bytes, mode: int, who: Who) -> Answer[Told]:
        self._refuse(parent, name)
        return self._served.mkdir(parent, name, mode, who)

    def symlink(self, parent: int, name: bytes, target: bytes, who: Who) -> Answer[Told]:
        self._refuse(parent, name)
        return self._served.symlink(parent, name, target, who)

    def link(self, number: int, parent: int, name: bytes) -> Answer[Told]:
        self._refuse(parent, name)
        if number in self._ours:
            raise answer(errno.EROFS, name)
        return self._served.link(number, parent, name)

    def unlink(self, parent: int, name: bytes) -> Answer[None]:
        self._refuse(parent, name)
        return self._served.unlink(parent, name)

    def rmdir(self, parent: int, name: bytes) -> Answer[None]:
        self._refuse(parent, name)
        return self._served.rmdir(parent, name)

    def rename(self, old: tuple[int, bytes], new: tuple[int, bytes], flags: int) -> Answer[None]:
        self._refuse(*old)
        self._refuse(*new)
        return self._served.rename(old, new, flags)

    def create(self, parent: int, name: bytes, flags: int, mode: int, who: Who) -> Answer[tuple[Told, Opened]]:
        self._refuse(parent, name)
        return self._served.create(parent, name, flags, mode, who)

    # Inodes

    def getattr(self, number: int) -> Answer[Told]:
        return self._told(number) if number in self._ours else self._served.getattr(number)

    def getattr_for_pages(self, number: int) -> Answer[Told]:
        return self._told(number) if number in self._ours else self._served.getattr_for_pages(number)

    def setattr(self, number: int, wanted: Wanted, handle: int | None, who: Who) -> Answer[Told]:
        if number in self._ours:
            raise answer(errno.EROFS)
        return self._served.setattr(number, wanted, handle, who)

    def getxattr(self, number: int, name: bytes, who: Who) -> Answer[bytes | None]:
        if number in self._ours:
            return None
        return self._served.getxattr(number, name, who)

    def setxattr(self, number: int, name: bytes, value: bytes, flags: int, who: Who) -> Answer[None]:
        if number in self._ours:
            raise answer(errno.EROFS)
        return self._served.setxattr(number, name, value, flags, who)

    def listxattr(self, number: int, who: Who) -> Answer[Sequence[bytes]]:
        return [] if number in self._ours else self._served.listxattr(number, who)

    def removexattr(self, number: int, name: bytes, who: Who) -> Answer[None]:
        if number in self._ours:
            raise answer(errno.EROFS)
        return self._served.removexattr(number, name, who)

    # Open files and directories

    def open(self, number: int, flags: int, who: Who) -> Answer[Opened]:
        if number not in self._ours:
            return self._served.open(number, flags, who)
        if flags & os.O_ACCMODE != os.O_RDONLY or flags & os.O_TRUNC:
            raise answer(errno.EROFS)
        reading = self._made[number]()
        opened = functools.partial(self._opened, number)
        return reading.then(opened) if isinstance(reading, Later) else opened(reading)

    def _opened(self, number: int, reading: Reading) -> Opened:
        handle = next(self._handles)
        self._open[handle] = reading
        return Opened(handle, keep_cache=False, inode=number, streams=True)

    def read(self, handle: int, offset: int, size_bytes: int) -> Answer[bytes]:
        reading = self._open.get(handle)
        return self._served.read(handle, offset, size_bytes) if reading is None else reading.read(offset, size_bytes)

    def release(self, handle: int) -> Answer[None]:
        reading = self._open.pop(handle, None)
        if reading is None:
            return self._served.release(handle)
        reading.close()
        return None

    def opendir(self, number: int) -> Answer[int]:
        return number if number == DIRECTORY_NUMBER else self._served.opendir(number)

    def readdir(self, handle: int, start: int, listing: Listing) -> Answer[None]:
        if handle != DIRECTORY_NUMBER:
            return self._served.readdir(handle, start, listing)
        entries = [(b".", handle), (b"..", handle), *self._files.items()]
        for following, (name, number) in enumerate(entries[start:], start + 1):
            if not listing.room_for([name]):
                break
            if number == DIRECTORY_NUMBER:
                listing.add_unknown(name, number, following)
            else:
                listing.add([name], [self._told(number)], following)
        return None

    def fsyncdir(self, handle: int) -> Answer[None]:
        return None if handle == DIRECTORY_NUMBER else self._served.fsyncdir(handle)

    def releasedir(self, handle: int) -> Answer[None]:
        return None if handle == DIRECTORY_NUMBER else self._served.releasedir(handle)
