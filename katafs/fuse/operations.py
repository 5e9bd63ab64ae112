"""What a file system has to offer: one method for each kind of request, called by whichever thread read it.

An operation answers at once, or with `Later` where it may have to wait: then a thread of the pool makes the answer, and
this one goes on to the next request. Any exception becomes an errno; which one is the file system's to say.
"""

import os
import stat
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar

Result = TypeVar("Result")
Ready = TypeVar("Ready", covariant=True)
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Later(Generic[Ready]):
    """An answer that a thread of a pool is to make. An interrupted one that hasn't been begun is EINTR."""

    pool: Executor
    call: Callable[[], Ready]

    def then(self, made_of: Callable[[Ready], Made]) -> "Later[Made]":
        """An answer that is made of this one, by the same thread."""
        call = self.call
        return Later(self.pool, lambda: made_of(call()))


Answer: TypeAlias = Result | Later[Result]

Explain: TypeAlias = Callable[[str, Exception, int | None], int]
"""The errno that an exception becomes in an operation of this name, which was asked of this inode if it is known; says
of it what there is to say."""


class Attributes(Protocol):
    """stat(2) of an inode, and how long the kernel may keep it and the name that led to it."""

    @property
    def number(self) -> int: ...
    @property
    def generation(self) -> int: ...
    @property
    def status(self) -> os.stat_result:
        """All but what is beside it here."""

    @property
    def links(self) -> int: ...
    @property
    def ctime_ns(self) -> int: ...
    @property
    def timeout_s(self) -> float: ...
    @property
    def unasked(self) -> bool:
        """Whether of the status only the kind holds: the kernel keeps the name, and asks for the rest."""


class Who(Protocol):
    """Who asks."""

    @property
    def uid(self) -> int: ...
    @property
    def gid(self) -> int: ...
    @property
    def pid(self) -> int:
        """The thread that waits for the reply; 0 where this process can't see it."""


NOW_NS = 1 << 100
"""In the place of a time: that at which it is set, by the clock that gives files their other times. No time is it."""


class Wanted(NamedTuple):
    """What setattr is to change; None leaves it. Times in nanoseconds since 1970, or NOW_NS; the size in bytes."""

    mode: int | None
    uid: int | None
    gid: int | None
    size: int | None
    atime_ns: int | None
    mtime_ns: int | None


class Writing(NamedTuple):
    """How a write is made."""

    appends: bool = False
    """To wherever the file ends. A page of an mmap(2) never is."""
    whole: bool = False
    """All of it, or it has failed: of pages of an mmap(2), of which nobody asks how much was written."""
    synced: int = 0
    """Whether it waits for the disk: O_DSYNC, O_SYNC or 0. The open file's, or the one write's (pwritev2(2))."""
    clears_set_ids: bool = False
    """The file's set-ID bits are to go, as where somebody but root writes to a disk."""


class Absent(NamedTuple):
    """What a name that isn't there is answered with."""

    timeout_s: float
    """How long the kernel may keep that."""


class Opened(NamedTuple):
    """An open file."""

    handle: int
    keep_cache: bool
    """Whether what the kernel has kept of its content is still good."""
    inode: Hashable = None
    """The same for all open files of one inode, and only for these."""
    descriptor: int | None = None
    """What the kernel may read and write itself in the place of asking for each read and write (FUSE_PASSTHROUGH)."""
    uncached: bool = False
    """Whether the kernel is to keep nothing of its content, but for mappings. Where such a file couldn't be mapped and
    shared (before Linux 6.6) it keeps it all the same, and goes by the times and sizes that it is told."""
    streams: bool = False
    """Whether it is like a pipe: read on and on, of no known size, and nothing of it kept."""


class Listing(Protocol):
    """The reply to a readdir, which takes entries until it is full."""

    def room_for(self, names: Sequence[bytes]) -> int:
        """How many entries of these names, from the first one on, have room."""

    def add(self, names: Sequence[bytes], told: Sequence[Attributes], following: int) -> None:
        """Take in as many entries as are told of, all of which have room. `following` is the number to go on with after
        the first of them."""

    def add_unknown(self, name: bytes, number: int, following: int, mode: int = stat.S_IFDIR) -> None:
        """Take in a directory of which nothing is told, `.` and `..` for instance: the kernel asks when somebody wants
        to know. The mode 0 is for what nobody knows the type of."""

    def give_within(self, giving: AbstractContextManager[None]) -> None:
        """Have the reply given to the kernel in a `with` of this, in which an error says that it couldn't be."""

    def is_empty(self) -> bool:
        """Whether nothing was added."""


class Operations(Protocol):
    """The file system. Numbers are inodes'; handles are those that open, create and opendir gave."""

    def lookup(self, parent: int, name: bytes) -> Answer[Attributes | Absent]:
        """The entry of a name, if there is one. As every entry in a reply it counts as a lookup."""

    def forget(self, forgotten: Sequence[tuple[int, int]]) -> None:
        """Take back lookups: inodes with counts. Nobody is told of an error."""

    def getattr(self, number: int) -> Answer[Attributes]:
        """stat(2)."""

    def getattr_for_pages(self, number: int) -> Answer[Attributes]:
        """The same for the kernel itself, before a program reads: whether the pages that it has kept are still good."""

    def setattr(self, number: int, wanted: Wanted, handle: int | None, who: Who) -> Answer[Attributes]:
        """chmod(2), chown(2), truncate(2), utimensat(2); through an open file where there is a handle."""

    def readlink(self, number: int) -> Answer[bytes]:
        """readlink(2)."""

    def mknod(self, parent: int, name: bytes, mode: int, device: int, who: Who) -> Answer[Attributes]:
        """mknod(2). The umask is applied already, as in everything that makes a name."""

    def mkdir(self, parent: int, name: bytes, mode: int, who: Who) -> Answer[Attributes]:
        """mkdir(2)."""

    def symlink(self, parent: int, name: bytes, target: bytes, who: Who) -> Answer[Attributes]:
        """symlink(2)."""

    def link(self, number: int, parent: int, name: bytes) -> Answer[Attributes]:
        """link(2)."""

    def unlink(self, parent: int, name: bytes) -> Answer[None]:
        """unlink(2)."""

    def rmdir(self, parent: int, name: bytes) -> Answer[None]:
        """rmdir(2)."""

    def rename(self, old: tuple[int, bytes], new: tuple[int, bytes], flags: int) -> Answer[None]:
        """renameat2(2)."""

    def open(self, number: int, flags: int, who: Who) -> Answer[Opened]:
        """open(2), O_TRUNC included."""

    def create(self, parent: int, name: bytes, flags: int, mode: int, who: Who) -> Answer[tuple[Attributes, Opened]]:
        """open(2) with O_CREAT of a name that isn't there."""

    def read(self, handle: int, offset: int, size_bytes: int) -> Answer[bytes]:
        """pread(2); less than was asked for only at the end of the file."""

    def write(self, handle: int, offset: int, content: memoryview, how: Writing) -> Answer[int]:
        """pwrite(2). The content is good until the answer is made. A page of an mmap(2) comes with any handle that is
        open for writing."""

    def fsync(self, handle: int, *, data_only: bool) -> Answer[None]:
        """fsync(2), fdatasync(2)."""

    def allocate(self, handle: int, offset: int, size_bytes: int, mode: int) -> Answer[None]:
        """fallocate(2) with FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE or none of them: the kernel
        refuses all others itself."""

    def seek(self, handle: int, offset: int, whence: int) -> Answer[int]:
        """lseek(2) with SEEK_DATA or SEEK_HOLE. Only for a file that the kernel reads and writes itself: of another
        what is mapped may be in the kernel's pages alone."""

    def release(self, handle: int) -> Answer[None]:
        """The last close of an open file."""

    def opendir(self, number: int) -> Answer[int]:
        """A handle of a directory."""

    def readdir(self, handle: int, start: int, listing: Listing) -> Answer[None]:
        """Fill the listing from the entry `start` on. Each entry in it that is told of counts as a lookup."""

    def fsyncdir(self, handle: int) -> Answer[None]:
        """fsync(2) of a directory."""

    def releasedir(self, handle: int) -> Answer[None]:
        """The last close of an open directory."""

    def statfs(self, number: int) -> Answer[os.statvfs_result]:
        """statvfs(3)."""

    def getxattr(self, number: int, name: bytes, who: Who) -> Answer[bytes | None]:
        """getxattr(2); None where there is none of the name."""

    def setxattr(self, number: int, name: bytes, value: bytes, flags: int, who: Who) -> Answer[None]:
        """setxattr(2)."""

    def listxattr(self, number: int, who: Who) -> Answer[Sequence[bytes]]:
        """listxattr(2)."""

    def removexattr(self, number: int, name: bytes, who: Who) -> Answer[None]:
        """removexattr(2)."""
