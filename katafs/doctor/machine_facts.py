"""Asks the machine: FUSE, the kernel, limits, the mount namespace, updatedb."""

import errno
import os
import resource
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

FUSE_DEVICE = "/dev/fuse"
UPDATEDB_CONF = Path("/etc/updatedb.conf")
UPDATEDB_SERVICE = Path("/usr/lib/systemd/system/plocate-updatedb.service.d/katafs.conf")
"""What katafs' own package adds to it."""

_FUSE_NUMBER = os.makedev(10, 229)
"""Linux's devices.txt: misc device 229."""
_FUSERMOUNT = "fusermount3"


@dataclass(frozen=True)
class Fusermount:
    """The program that mounts for ordinary users."""

    path: str | None
    setuid_root: bool


@dataclass(frozen=True)
class Namespaces:
    """The mount namespaces (namespaces(7)) of this process and of process 1; None for one that can't be read."""

    own: str | None
    first: str | None


def fuse_device() -> int:
    """The errno with which /dev/fuse can't be used, 0 where it can. Opening it mounts nothing.

    An ordinary user has to be let, too: fusermount3 opens it in the user's name."""
    try:
        descriptor = os.open(FUSE_DEVICE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        device = os.fstat(descriptor)
        os.close(descriptor)
    except OSError as refused:
        return refused.errno or errno.EIO
    return 0 if stat.S_ISCHR(device.st_mode) and device.st_rdev == _FUSE_NUMBER else errno.ENODEV


def fusermount() -> Fusermount:
    """As it is found on the PATH."""
    path = shutil.which(_FUSERMOUNT)
    if path is None:
        return Fusermount(None, setuid_root=False)
    status = os.stat(path)
    return Fusermount(path, setuid_root=status.st_uid == 0 and bool(status.st_mode & stat.S_ISUID))


def kernel_release() -> str:
    """As uname(2) has it: `6.1.0-18-amd64`."""
    return os.uname().release


def descriptor_limit() -> int:
    """How many descriptors a process started here may have: what it may raise its own limit to (getrlimit(2))."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def mount_namespaces() -> Namespaces:
    """As /proc has them."""
    return Namespaces(_link("/proc/self/ns/mnt"), _link("/proc/1/ns/mnt"))


def _link(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None


def updatedb_service(path: Path = UPDATEDB_SERVICE) -> str:
    """What was added to the unit that runs updatedb; empty where nothing was."""
    return updatedb_conf(path) or ""


def updatedb_conf(path: Path = UPDATEDB_CONF) -> str | None:
    """The text of updatedb.conf(5), None where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
