"""The only places where the mount may answer otherwise than ext4, each with its reason.

`test_differences` holds every line of this list to both of its sides, so a difference that is gone has to go from here,
and its case into the suite that compares.
"""

import fcntl
import mmap
import os
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from tests.posix.place import NOBODY, SERVER, Place, acting_as, outcome
from tests.posix.syscalls import (
    FALLOC_COLLAPSE_RANGE,
    O_TMPFILE,
    RENAME_WHITEOUT,
    ST_NODEV,
    ST_NOSUID,
    fallocate,
    has_birth_time,
    renameat2,
)


@dataclass(frozen=True)
class Difference:
    """What a case gives on ext4 and, for the reason, on the mount."""

    title: str
    reason: str
    case: Callable[[Place], object]
    ext4: object
    mount: object
    older: object = None
    """What an older kernel's ext4 gives, and then the mount too, if that isn't what either gives on a newer one."""


NODEV = "mounts are nosuid and nodev, since whoever has a volume in a container makes any node"
NO_ACL = "an ACL that the kernel doesn't enforce for us gives `cp -a` wrong modes"
NO_REQUEST = "katafs.fuse passes this request on to nobody, so the kernel answers for us"
KERNEL_REFUSES = "the kernel's FUSE side refuses the flag"
NO_IOCTL = "ioctls aren't passed through: they could reach past the volume"
KERNEL_KEEPS_SGID = "the kernel's FUSE side drops setgid only with group execute; alone the bit marked mandatory locks"

# acl(5) as the kernel takes it: version 2, then (tag, permissions, id) of owner, a user, group, mask and other.
ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *entry)
    for entry in ((1, 6, 2**32 - 1), (2, 6, 19661), (4, 4, 2**32 - 1), (16, 6, 2**32 - 1), (32, 4, 2**32 - 1))
)
FS_IOC_GETFLAGS = 0x80086601
FS_IOC_FIEMAP = 0xC020660B
EXTENTS_WANTED = struct.pack("=QQIIII", 0, 1 << 40, 0, 0, 0, 0)


def _open_tmpfile(at: Place) -> object:
    return outcome(lambda: os.close(os.open(".", O_TMPFILE | os.O_RDWR, 0o600)))


def _open_device(at: Place) -> object:
    os.mknod("null", 0o20666, os.makedev(1, 3))
    return outcome(lambda: os.close(os.open("null", os.O_RDWR)))


def _run_setuid_program(at: Place) -> object:
    with open("/usr/bin/id", "rb") as program:
        at.file("id", program.read(), 0o4755, owner=SERVER)
    with acting_as(NOBODY):
        return int(subprocess.run(["./id", "-u"], capture_output=True, check=True, timeout=60).stdout)


def _set_acl(at: Place) -> object:
    at.file("f")
    return outcome(os.setxattr, "f", "system.posix_acl_access", ACL)


def _set_default_acl(at: Place) -> object:
    return outcome(os.setxattr, ".", "system.posix_acl_default", ACL)


def _get_acl(at: Place) -> object:
    at.file("f")
    return outcome(os.getxattr, "f", "system.posix_acl_access")


def _collapsed(at: Place) -> object:
    at.file("f", b"x" * 16384)
    return outcome(fallocate, at.open("f"), FALLOC_COLLAPSE_RANGE, 4096, 4096)


def _whiteout(at: Place) -> object:
    at.file("f")
    return outcome(renameat2, "f", "g", RENAME_WHITEOUT)


def _ioctl(request: int, question: bytes) -> Callable[[Place], object]:
    def ask(at: Place) -> object:
        at.file("f")
        answer = outcome(fcntl.ioctl, at.open("f"), request, question)
        return "ok" if isinstance(answer, bytes) else answer

    return ask


def _unaligned_direct_read(at: Place) -> object:
    at.file("f", b"0123456789" * 1000)
    buffer = memoryview(mmap.mmap(-1, 4096))[1:100]
    return outcome(os.preadv, at.open("f", os.O_RDONLY | os.O_DIRECT), [buffer], 3)


def _birth_time(at: Place) -> object:
    at.file("f")
    return has_birth_time("f")


def _mount_flags(at: Place) -> object:
    return bool(os.statvfs(".").f_flag & ST_NODEV), bool(os.statvfs(".").f_flag & ST_NOSUID)


def _setgid_without_execute(at: Place) -> object:
    at.file("f", b"x", 0o2646, owner=SERVER)
    with acting_as(NOBODY):
        os.write(at.open("f", os.O_WRONLY), b"y")
    return oct(os.stat("f").st_mode & 0o7777)


DIFFERENCES = [
    Difference("open with O_TMPFILE", NO_REQUEST, _open_tmpfile, None, "ENOTSUP"),
    Difference("open of a device node", NODEV, _open_device, None, "EACCES"),
    Difference("running a setuid program", NODEV, _run_setuid_program, SERVER.uid, NOBODY.uid),
    Difference("flags of statvfs", NODEV, _mount_flags, (False, False), (True, True)),
    Difference("setting an ACL", NO_ACL, _set_acl, None, "ENOTSUP"),
    Difference("setting a default ACL", NO_ACL, _set_default_acl, None, "ENOTSUP"),
    Difference("asking for an ACL", NO_ACL, _get_acl, "ENODATA", "ENOTSUP"),
    Difference("collapsing a range", KERNEL_REFUSES, _collapsed, None, "ENOTSUP"),
    Difference("rename with RENAME_WHITEOUT", KERNEL_REFUSES, _whiteout, None, "EINVAL"),
    Difference("lsattr's ioctl", NO_IOCTL, _ioctl(FS_IOC_GETFLAGS, bytes(8)), "ok", "ENOTTY"),
    Difference("filefrag's ioctl", NO_IOCTL, _ioctl(FS_IOC_FIEMAP, EXTENTS_WANTED), "ok", "ENOTSUP"),
    Difference(
        "unaligned read with O_DIRECT",
        "the daemon opens without O_DIRECT, whose rules for buffers its own wouldn't keep",
        _unaligned_direct_read,
        "EINVAL",
        99,
    ),
    Difference("statx's birth time", "katafs.fuse answers GETATTR and not STATX", _birth_time, True, False),
    Difference(
        "setgid without group execute, written by others",
        KERNEL_KEEPS_SGID,
        _setgid_without_execute,
        "0o646",
        "0o2646",
        "0o2646",
    ),
]
