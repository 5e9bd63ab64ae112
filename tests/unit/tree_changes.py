"""Every kind of single change to the odd tree, and the one line by which a comparison with the old tree tells it."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.harness.odd_trees import CAPABILITY, acl, times_kept


@dataclass(frozen=True)
class Change:
    """`make` changes something at `path` of a tree, whose mtimes are then set back; `line` is all that differs."""

    name: str
    path: str
    make: Callable[[Path], object]
    line: str

    def apply(self, top: Path) -> None:
        """Make the change in the odd tree below `top`."""
        path = top / self.path
        if self.name.startswith("mtime"):
            self.make(path)
            return
        with times_kept(*([path, path.parent] if path != top else [path])):
            self.make(path)

    @property
    def is_of_an_entry(self) -> bool:
        """Whether it shows in one entry that isn't a directory, and isn't a matter of other names."""
        return (
            not self.path.startswith(("dir/empty", "sticky", "."))
            and self.path != "dir"
            and not any(word in self.line for word in ("only on", "first met", "directory"))
        )

    def __str__(self) -> str:
        return self.name


def _write_at(offset: int, content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with open(path, "r+b") as file:
            file.seek(offset)
            file.write(content)

    return write


def _retarget(path: Path) -> None:
    before = path.lstat()
    path.unlink()
    path.symlink_to("somewhere")
    os.chown(path, before.st_uid, before.st_gid, follow_symlinks=False)


def _become_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _become_file(path: Path) -> None:
    path.unlink()
    path.touch()


def _become_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _part(path: Path) -> None:
    """A file that was linked is one of its own with the same content and attributes."""
    status, content = path.lstat(), path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    path.chmod(status.st_mode)
    os.chown(path, status.st_uid, status.st_gid)


def _marry(path: Path) -> None:
    """`path` becomes another name of its twin, which looks like it."""
    twin = path.with_name("twin-b")
    path.unlink()
    os.link(twin, path)


def _later(path: Path) -> None:
    status = path.lstat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1), follow_symlinks=False)


def _owned(uid: int, gid: int) -> Callable[[Path], None]:
    return lambda path: os.chown(path, uid, gid, follow_symlinks=False)


def _xattr(name: str, value: bytes) -> Callable[[Path], None]:
    return lambda path: os.setxattr(path, name, value, follow_symlinks=False)


def _no_xattr(name: str) -> Callable[[Path], None]:
    return lambda path: os.removexattr(path, name, follow_symlinks=False)


CHANGES = (
    Change("byte", "big", _write_at(2_000_000, b"\xff"), r"'big': content at byte 2000000 b' .*' != b'\\xff.*'"),
    Change("last byte", "plain", _write_at(6, b"!"), r"'plain': content at byte 6 b't' != b'!'"),
    Change(
        "byte in a hole", "sparse", _write_at(8 << 20, b"x"), rf"'sparse': content at byte {8 << 20} b'\\x00.*' != .*"
    ),
    Change("longer", "plain", _write_at(7, b"!"), "'plain': size 7 != 8"),
    Change("shorter", "sparse", lambda path: os.truncate(path, 8 << 20), f"'sparse': size {9 << 20} != {8 << 20}"),
    Change("mode", "plain", lambda path: path.chmod(0o644), "'plain': mode 0604 != 0644"),
    Change("mode of a directory", "dir", lambda path: path.chmod(0o2700 | 0o55), "'dir': mode 2750 != 2755"),
    Change("mode of a fifo", "fifo", lambda path: path.chmod(0o666), "'fifo': mode 0600 != 0666"),
    Change("mode of a socket", "socket", lambda path: path.chmod(0o100), r"'socket': mode \d+ != 0100"),
    Change("set-group-ID", "setgid", lambda path: path.chmod(0o711), "'setgid': mode 2711 != 0711"),
    Change("sticky", "sticky", lambda path: path.chmod(0o777), "'sticky': mode 1777 != 0777"),
    Change("uid", "plain", _owned(5, -1), r"'plain': uid \d+ != 5"),
    Change("gid", "plain", _owned(-1, 5), r"'plain': gid \d+ != 5"),
    Change("uid of a link", "link", _owned(5, -1), r"'link': uid \d+ != 5"),
    Change("mtime", "dir/inner/leaf", _later, r"'dir/inner/leaf': mtime_ns \d+ != \d+"),
    Change("mtime of a directory", "dir/empty", _later, r"'dir/empty': mtime_ns \d+ != \d+"),
    Change("mtime of a link", "up", _later, r"'up': mtime_ns \d+ != \d+"),
    Change("mtime of the top", ".", _later, r"'.': mtime_ns \d+ != \d+"),
    Change("target", "absolute", _retarget, "'absolute': target b'/etc/passwd' != b'somewhere'"),
    Change("file to fifo", "plain", _become_fifo, "'plain': type file != fifo"),
    Change("fifo to file", "fifo", _become_file, "'fifo': type fifo != file"),
    Change("link to directory", "up", _become_directory, "'up': type symlink != directory"),
    Change("less", "dir/inner/leaf", Path.unlink, "'dir/inner/leaf': only on the left"),
    Change("more", "dir", lambda path: (path / "new\n").touch(), r"'dir/new\\n': only on the right"),
    Change("less of a directory", "dir/empty", Path.rmdir, "'dir/empty': only on the left"),
    Change("links parted", "link-c", _part, "'link-c': file first met as 'link-b' != 'link-c'"),
    Change("links joined", "twin", _marry, "'twin-b': file first met as 'twin-b' != 'twin'"),
    Change("xattr", "plain", _xattr("user.note", b"other"), "'plain': xattr 'user.note' b'value' != b'other'"),
    Change("less of an xattr", "plain", _no_xattr("user.note"), "'plain': xattr 'user.note' b'value' != nothing"),
    Change("more of an xattr", "dir", _xattr("user.a", b""), "'dir': xattr 'user.a' nothing != b''"),
    Change(
        "xattr of a link", "link", _xattr("trusted.note", b"x"), "'link': xattr 'trusted.note' b'on a link' != b'x'"
    ),
    Change(
        "xattr of a fifo", "fifo", _no_xattr("trusted.note"), "'fifo': xattr 'trusted.note' b'on a fifo' != nothing"
    ),
    Change(
        "capability", "setuid", _no_xattr("security.capability"), r"'setuid': xattr 'security.capability' b.* nothing"
    ),
    Change(
        "other capability",
        "setuid",
        _xattr("security.capability", CAPABILITY.replace(b"\x04", b"\x08")),
        "'setuid': xattr 'security.capability' .*",
    ),
    Change(
        "access ACL",
        "with-acl",
        _xattr("system.posix_acl_access", acl(4321, 4)),
        "'with-acl': xattr 'system.posix_acl_access' .*",
    ),
    Change(
        "default ACL",
        "dir",
        _no_xattr("system.posix_acl_default"),
        "'dir': xattr 'system.posix_acl_default' .* != nothing",
    ),
    Change("mode of the top", ".", lambda path: path.chmod(0o755), "'.': mode 0751 != 0755"),
    Change("uid of the top", ".", _owned(1, -1), "'.': uid 4000000000 != 1"),
    Change("gid of the top", ".", _owned(-1, 1), "'.': gid 77 != 1"),
    Change("xattr of the top", ".", _xattr("user.top", b"x"), r"'.': xattr 'user.top' b'\\x00\\xff' != b'x'"),
)
