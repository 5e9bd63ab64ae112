"""One side of a comparison: a fresh directory, and a record of what was done in it and what came of it.

A case runs with its directory as the working directory, so every name in it is relative and both sides are called with
the same arguments. It knows nothing of mounts: whether it runs on ext4 or on katafs is not its business.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

Name = str | bytes
Facts = dict[str, int | str]

T = TypeVar("T")

TICK_DEADLINE_SECONDS = 30
CLOCK_REALTIME_COARSE = 5  # <time.h>; `time` doesn't name it


@dataclass(frozen=True)
class User:
    """Who calls: ids and supplementary groups."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    def __str__(self) -> str:
        return ":".join(map(str, (self.uid, self.gid, *self.groups[-1:])))


ROOT = User(0, 0)
NOBODY = User(65534, 65534)
SERVER = User(19661, 19661)
WWW = User(33, 33)
WWW_IN_SERVER = User(33, 33, (19661,))


@contextmanager
def acting_as(user: User) -> Iterator[None]:
    """Give this process the user's real and effective ids, groups and none of root's capabilities, then take it back.

    Only the saved id stays root's, which no file system looks at."""
    groups = os.getgroups()
    os.setgroups(user.groups)
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)


def facts(status: os.stat_result) -> Facts:
    """What both sides must agree on: all but the numbers of device and inode, and the times."""
    return {
        "type": stat.filemode(status.st_mode)[0],
        "mode": oct(stat.S_IMODE(status.st_mode)),
        "uid": status.st_uid,
        "gid": status.st_gid,
        "nlink": status.st_nlink,
        "size": status.st_size,
        "blocks": status.st_blocks,
        "blksize": status.st_blksize,
        "rdev": status.st_rdev,
    }


def times(target: Name | int) -> dict[str, int]:
    """In nanoseconds, of a name or an open file; links aren't followed."""
    status = os.fstat(target) if isinstance(target, int) else os.lstat(target)
    return {"atime": status.st_atime_ns, "mtime": status.st_mtime_ns, "ctime": status.st_ctime_ns}


def wait_for_clock_past(stamp_ns: int) -> None:
    """Wait until the clock the kernel stamps files with has moved on, so that a new stamp differs from an old one."""
    deadline = time.monotonic() + TICK_DEADLINE_SECONDS
    while time.clock_gettime_ns(CLOCK_REALTIME_COARSE) <= stamp_ns:
        assert time.monotonic() < deadline, f"the clock stays before {stamp_ns}"


def outcome(call: Callable[..., object], *arguments: object) -> object:
    """What the call gives, or the name of its errno."""
    try:
        return call(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno or 0]


@dataclass
class Place:
    """A directory to do things in; `record` is what the two sides are compared by."""

    directory: str
    backing: str  # the same directory where the bytes are, behind a mount
    record: list[tuple[str, Any]] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def tries(self, call: Callable[..., object], *args: object, **options: object) -> str:
        """Make the call and record whether it worked: "ok", or the name of its errno."""
        try:
            call(*args, **options)
        except OSError as error:
            outcome = errno.errorcode[error.errno or 0]
        else:
            outcome = "ok"
        return self.notes(call.__name__, outcome)

    def opens(self, name: Name, flags: int, mode: int = 0o644, **options: int) -> str:
        """`tries` for open, which leaves no descriptor."""

        def opening() -> None:
            os.close(os.open(name, flags, mode, **options))

        return self.tries(opening)

    def gives(self, call: Callable[..., T], *args: object, **options: object) -> T:
        """Make the call, which must work, and record its value."""
        return self.notes(call.__name__, call(*args, **options))

    def notes(self, what: str, value: T) -> T:
        self.record.append((what, value))
        return value

    def sees(self, *targets: Name | int, follow: bool = False) -> Facts:
        """Record what stat says of each, without following links, and return the last."""
        found: Facts = {}
        for target in targets:
            status = os.fstat(target) if isinstance(target, int) else os.stat(target, follow_symlinks=follow)
            called = "the place" if target == self.directory else repr(target)
            found = self.notes("stat of an open file" if isinstance(target, int) else f"stat {called}", facts(status))
        return found

    @contextmanager
    def watching(self, *targets: Name | int) -> Iterator[None]:
        """Record which times of the targets the block changes."""
        before = {target: times(target) for target in targets}
        wait_for_clock_past(max(stamp for stamps in before.values() for stamp in stamps.values()))
        yield
        for number, (target, stamps) in enumerate(before.items()):
            now = times(target)
            changed = sorted(kind for kind in stamps if stamps[kind] != now[kind])
            self.notes(f"times changed of {number if isinstance(target, int) else target!r}", changed)

    def open(self, name: Name, flags: int = os.O_RDWR, mode: int = 0o644, **options: int) -> int:
        """A descriptor that is closed when the case ends."""
        self.descriptors.append(os.open(name, flags, mode, **options))
        return self.descriptors[-1]

    def file(self, name: Name = "f", content: bytes = b"", mode: int = 0o644, owner: User | None = None) -> None:
        """Make a file as root, whatever the umask."""
        fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            os.write(fd, content)
            if owner is not None:
                os.fchown(fd, owner.uid, owner.gid)
            os.fchmod(fd, mode)
        finally:
            os.close(fd)

    def folder(self, name: Name = "d", mode: int = 0o755, owner: User | None = None) -> None:
        """Make a directory as root, whatever the umask."""
        os.mkdir(name, 0o700)
        if owner is not None:
            os.chown(name, owner.uid, owner.gid)
        os.chmod(name, mode)

    def close(self) -> None:
        while self.descriptors:
            os.close(self.descriptors.pop())
