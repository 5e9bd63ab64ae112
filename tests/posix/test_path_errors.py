"""What every call that takes a path says of a path that leads nowhere."""

import os
import stat
from collections.abc import Callable

import pytest

from tests.posix.compare import compared
from tests.posix.place import NOBODY, Place, acting_as
from tests.posix.syscalls import RENAME_EXCHANGE, RENAME_NOREPLACE, renameat2, truncate

Call = Callable[[str], object]


def _open(flags: int) -> Call:
    return lambda name: os.close(os.open(name, flags, 0o644))


CALLS: dict[str, Call] = {
    "stat": os.stat,
    "lstat": os.lstat,
    "access": lambda name: os.stat(name) if os.access(name, os.R_OK) else os.listdir(name),
    "chmod": lambda name: os.chmod(name, 0o600),
    "chown": lambda name: os.chown(name, -1, -1),
    "lchown": lambda name: os.lchown(name, 0, 0),
    "utime": os.utime,
    "truncate": lambda name: truncate(name, 1),
    "readlink": os.readlink,
    "listdir": os.listdir,
    "statvfs": lambda name: bool(os.statvfs(name)),
    "open for reading": _open(os.O_RDONLY),
    "open for writing": _open(os.O_WRONLY),
    "open O_CREAT": _open(os.O_RDWR | os.O_CREAT),
    "open O_CREAT|O_EXCL": _open(os.O_RDWR | os.O_CREAT | os.O_EXCL),
    "open O_DIRECTORY": _open(os.O_RDONLY | os.O_DIRECTORY),
    "open O_PATH": _open(os.O_PATH),
    "mkdir": os.mkdir,
    "rmdir": os.rmdir,
    "unlink": os.unlink,
    "mkfifo": os.mkfifo,
    "mknod": lambda name: os.mknod(name, stat.S_IFREG | 0o644),
    "symlink": lambda name: os.symlink("anywhere", name),
    "link from": lambda name: os.link(name, "made"),
    "link to": lambda name: os.link("real", name),
    "rename from": lambda name: os.rename(name, "made"),
    "rename to": lambda name: os.rename("real", name),
    "rename NOREPLACE to": lambda name: renameat2("real", name, RENAME_NOREPLACE),
    "rename EXCHANGE": lambda name: renameat2("real", name, RENAME_EXCHANGE),
    "listxattr": os.listxattr,
    "getxattr": lambda name: os.getxattr(name, "user.x"),
    "setxattr": lambda name: os.setxattr(name, "user.x", b"1"),
    "removexattr": lambda name: os.removexattr(name, "user.x"),
    "chdir": os.chdir,
}

PATHS = {
    "missing": "missing",
    "missing with slash": "missing/",
    "below missing": "missing/x",
    "below a file": "file/x",
    "file with slash": "file/",
    "file with dot": "file/.",
    "below a dangling link": "dangling/x",
    "dangling link": "dangling",
    "dangling link with slash": "dangling/",
    "looping link": "loop",
    "below a looping link": "loop/x",
    "empty": "",
    "dot": ".",
    "folder with dot": "folder/.",
    "folder with dots": "folder/inner/..",
    "name too long": "n" * 256,
    "below a name too long": "n" * 256 + "/x",
    "path too long": "folder/" * 585 + "x",
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("call", CALLS)
@compared
def test_path_that_leads_nowhere(at: Place, call: str, path: str) -> None:
    at.file("file")
    at.file("real")
    at.folder("folder")
    at.folder("folder/inner")
    os.symlink("nowhere", "dangling")
    os.symlink("loop", "loop")
    outcome = at.tries(CALLS[call], PATHS[path])
    os.chdir(at.directory)
    at.notes("names", sorted(os.listdir(".")))
    if path in ("name too long", "below a name too long", "path too long"):
        assert outcome == "ENAMETOOLONG"
    if path == "below a file":
        assert outcome == "ENOTDIR"
    if path == "below a looping link":
        assert outcome == "ELOOP"


@pytest.mark.parametrize("call", CALLS)
@compared
def test_folder_that_may_not_be_searched(at: Place, call: str) -> None:
    at.folder("mine", 0o777)
    at.folder("mine/closed", 0o666)
    at.file("mine/closed/x", mode=0o666)
    at.file("mine/real", mode=0o666, owner=NOBODY)
    os.chdir("mine")
    with acting_as(NOBODY):
        assert at.tries(CALLS[call], "closed/x") == "EACCES"
