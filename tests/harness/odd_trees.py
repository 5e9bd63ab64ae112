"""Trees with everything in them that Linux can keep, and how they look to a plain program that walks them by path."""

import os
import shutil
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness import needs
from tests.harness.descriptors import held

CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
"""security.capability of a program that may bind low ports (capabilities(7), VFS_CAP_REVISION_2, effective)."""
_LONG = b"n" * 255
_OLD_NS = 1_111_111_111_123_456_789
_FUTURE_NS = 15_000_000_000_123_456_789
"""The year 2445, which ext4 can keep, in more nanoseconds than 63 bits."""


def acl(user: int, permissions: int, group: int = 4) -> bytes:
    """system.posix_acl_access or _default as the kernel keeps it: one named user beside rw- r-- ---, or what the
    group's permissions are in the place of r--."""
    entries = ((0x01, 6, -1), (0x02, permissions, user), (0x04, group, -1), (0x10, 4, -1), (0x20, 0, -1))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)


def make_odd_tree(top: Path) -> None:
    """Fill an empty directory with one of each kind of thing, in odd states; the same at each call."""
    needs.attributes(top)
    for directory in ("dir", "dir/inner", "dir/empty", "sticky"):
        (top / directory).mkdir()
    _make_files(top)
    _make_others(top)
    os.link(top / "hard-a", top / "dir" / "hard-b")
    os.link(top / "link-b", top / "link-c")
    os.link(top / "link-a", top / "dir" / "link-d", follow_symlinks=False)
    _set_modes_and_owners(top)
    os.setxattr(top / "setuid", "security.capability", CAPABILITY)
    os.setxattr(top / "plain", "user.note", b"value")
    os.setxattr(top / "link", "trusted.note", b"on a link", follow_symlinks=False)
    os.setxattr(top / "fifo", "trusted.note", b"on a fifo")
    os.setxattr(top / "with-acl", "system.posix_acl_access", acl(1234, 4))
    os.setxattr(top / "dir", "system.posix_acl_default", acl(1234, 6))
    os.setxattr(top, "user.top", b"\0\xff")
    for number, path in enumerate(sorted(top.rglob("*"), reverse=True)):
        os.utime(path, ns=(_OLD_NS + number, _OLD_NS + 2 * number), follow_symlinks=False)
    shutil.copystat(top / "twin", top / "twin-b")
    os.utime(top / "negative", ns=(-1_500_000_001, -1_500_000_002))
    os.utime(top / "future", ns=(_FUTURE_NS, _FUTURE_NS + 1))
    os.utime(top, ns=(_OLD_NS - 1, _OLD_NS - 2))


def _make_files(top: Path) -> None:
    for name in (
        "plain",
        "twin",
        "twin-b",
        "link-b",
        "setuid",
        "setgid",
        "hard-a",
        "with-acl",
        "negative",
        "future",
        "dir/inner/leaf",
    ):
        (top / name).write_bytes(b"content")
    (top / "empty").touch()
    (top / "big").write_bytes(bytes(range(251)) * 10_000)
    for odd in (b"\xff\xfe", b"new\nline", b" ", b"-rf", _LONG, "größe".encode(), b"a\\b'\""):
        (top / os.fsdecode(odd)).write_bytes(odd)
    with open(top / "sparse", "wb") as file:
        file.seek(3 << 20)
        file.write(b"data")
        file.truncate(9 << 20)


def _make_others(top: Path) -> None:
    for name, target in (("link", "plain"), ("link-a", "nowhere"), ("absolute", "/etc/passwd"), ("up", "../..")):
        (top / name).symlink_to(target)
    os.mkfifo(top / "fifo")
    with socket.socket(socket.AF_UNIX) as listening, held(top) as directory:
        # Through /proc, since a socket's path has room for 107 bytes.
        listening.bind(f"/proc/self/fd/{directory}/socket")


def _set_modes_and_owners(top: Path) -> None:
    for number, path in enumerate(sorted(top.rglob("*"))):
        os.chown(path, 1000 + number, 2000 + number, follow_symlinks=False)
    os.chown(top, 4_000_000_000, 77)
    for name, mode in (("setuid", 0o4755), ("setgid", 0o2711), ("sticky", 0o1777), ("dir", 0o2750), ("fifo", 0o600)):
        (top / name).chmod(mode)
    os.chown(top / "twin-b", *_owner(top / "twin"))
    (top / "plain").chmod(0o604)
    (top / "empty").chmod(0)
    top.chmod(0o751)


def _owner(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid


Description = dict[bytes, tuple[object, ...]]


def described(top: Path, *, atimes: bool = True) -> Description:
    """All that a copy must keep, found without the code under test: by path, for the top `.` and all below it."""
    paths = [b".", *sorted(_below(os.fsencode(top), b""))]
    found = {path: _status(os.fsencode(top), path) for path in paths}
    groups: dict[tuple[int, int], list[bytes]] = {}
    for path, status in found.items():
        groups.setdefault((status.st_dev, status.st_ino), []).append(path)
    return {
        path: (
            *(status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, atimes and status.st_atime_ns),
            *(
                _content(os.fsencode(top), path, status),
                _xattrs(os.fsencode(top), path),
                groups[status.st_dev, status.st_ino],
            ),
        )
        for path, status in found.items()
    }


def _below(top: bytes, path: bytes) -> Iterator[bytes]:
    directory = os.open(os.path.join(top, path), os.O_RDONLY | os.O_DIRECTORY | os.O_NOATIME)
    try:
        found = [os.path.join(path, os.fsencode(name)) for name in os.listdir(directory)]
    finally:
        os.close(directory)
    for inner in found:
        yield inner
        if stat.S_ISDIR(_status(top, inner).st_mode):
            yield from _below(top, inner)


def _status(top: bytes, path: bytes) -> os.stat_result:
    return os.stat(os.path.join(top, path), follow_symlinks=False)


def _content(top: bytes, path: bytes, status: os.stat_result) -> object:
    where = os.path.join(top, path)
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(where)
        # Nothing like O_NOATIME is there for a link.
        os.utime(where, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)
        return target
    if not stat.S_ISREG(status.st_mode):
        return None
    descriptor = os.open(where, os.O_RDONLY | os.O_NOATIME)
    with open(descriptor, "rb") as file:
        return file.read()


def _xattrs(top: bytes, path: bytes) -> dict[str, bytes]:
    where = os.path.join(top, path)
    return {
        name: os.getxattr(where, name, follow_symlinks=False)
        for name in sorted(os.listxattr(where, follow_symlinks=False))
        if not name.startswith("trusted.SGI_ACL_")  # XFS lists an ACL a second time
    }


@contextmanager
def times_kept(*paths: Path) -> Iterator[None]:
    """Set the times of these back to what they were, as a program does that hides what it changed."""
    before = [(path, os.lstat(path)) for path in paths]
    yield
    for path, status in before:
        if path.is_symlink() or path.exists():
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)
