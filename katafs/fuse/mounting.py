"""Making a mount and taking it away: mount(2) for root, fusermount3 for everybody else.

Gives a descriptor of /dev/fuse that the kernel has connected to the mount.
"""

import array
import ctypes
import errno
import os
import shutil
import socket
import stat
import subprocess
from dataclasses import dataclass

from katafs.errors import MountPointUnusable

_DEVICE = "/dev/fuse"
_HELPER = "fusermount3"

_MS_RDONLY = 1
_MS_NOSUID = 2
_MS_NODEV = 4
_MS_NOEXEC = 8
_MNT_DETACH = 2
_UMOUNT_NOFOLLOW = 8

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)


@dataclass(frozen=True)
class Options:
    """What a mount is to be like. It is always nosuid and nodev, and the kernel checks permissions."""

    source: str
    """The first column of the mount table."""
    subtype: str
    """The type there is `fuse.` and this."""
    read_only: bool = False
    noexec: bool = False
    allow_other: bool = False


def mount(path: str, options: Options) -> int:
    """Mount on a directory, whose absolute path this is. A descriptor, to which INIT comes first.

    Raises MountPointUnusable with the reason in one line."""
    if os.geteuid() != 0:
        return _mount_by_helper(path, options)
    try:
        return _mount(path, options)
    except OSError as problem:
        if problem.errno == errno.EPERM and shutil.which(_HELPER):
            return _mount_by_helper(path, options)  # root without CAP_SYS_ADMIN is an ordinary user
        raise MountPointUnusable(f"cannot mount on {path}: {problem.strerror}{_hint(problem)}") from problem


def _hint(problem: OSError) -> str:
    if problem.filename == _DEVICE:
        return f" ({_DEVICE}: does this kernel have fuse?)"
    return ""


def _mount(path: str, options: Options) -> int:
    device = os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC)
    try:
        mode = stat.S_IFMT(os.stat(path).st_mode)
        data = f"fd={device},rootmode={mode:o},user_id={os.getuid()},group_id={os.getgid()},default_permissions"
        if options.allow_other:
            data += ",allow_other"
        flags = _MS_NOSUID | _MS_NODEV
        flags |= (_MS_RDONLY if options.read_only else 0) | (_MS_NOEXEC if options.noexec else 0)
        source, kind = os.fsencode(options.source), os.fsencode(f"fuse.{options.subtype}")
        if _libc.mount(source, os.fsencode(path), kind, flags, data.encode()) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    except BaseException:
        os.close(device)
        raise
    return device


def _mount_by_helper(path: str, options: Options) -> int:
    """fusermount3(1) mounts for whoever may write to the directory, and sends the descriptor over a socket."""
    listed = ["default_permissions", "nosuid", "nodev", f"subtype={options.subtype}", f"fsname={_escaped(options)}"]
    if options.allow_other:
        listed.append("allow_other")
    if options.read_only:
        listed.append("ro")
    if options.noexec:
        listed.append("noexec")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        command = [_HELPER, "-o", ",".join(listed), "--", path]
        environment = {**os.environ, "_FUSE_COMMFD": str(theirs.fileno())}
        try:
            done = subprocess.run(
                command,
                env=environment,
                pass_fds=(theirs.fileno(),),
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        except FileNotFoundError:
            raise MountPointUnusable(
                f"cannot mount on {path}: {_HELPER} isn't installed, and this isn't root"
            ) from None
        theirs.close()
        device = _received(ours) if done.returncode == 0 else None
    if device is None:
        said = " ".join(done.stderr.split()) or f"{_HELPER} ended with status {done.returncode}"
        raise MountPointUnusable(f"cannot mount on {path}: {said}")
    return device


def _escaped(options: Options) -> str:
    return options.source.replace("\\", "\\\\").replace(",", "\\,")


def _received(channel: socket.socket) -> int | None:
    descriptors = array.array("i")
    _, ancillary, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(descriptors.itemsize))
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content[: descriptors.itemsize])
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
        return descriptor
    return None


def unmount(path: str) -> None:
    """Take a mount away from its path; who still uses it keeps it until the connection ends. No error where it is gone
    already, or where somebody else has to do it: the end of the connection leaves it dead."""
    if os.geteuid() == 0:
        _libc.umount2(os.fsencode(path), _MNT_DETACH | _UMOUNT_NOFOLLOW)
    elif shutil.which(_HELPER):
        subprocess.run([_HELPER, "-u", "-q", "-z", "--", path], capture_output=True, check=False)
