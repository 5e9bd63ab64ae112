"""A kata's directory, the top of its volume, is a directory as any other to whoever works in it or on it."""

import os
import shutil
from collections.abc import Callable

import pytest

from tests.harness import needs
from tests.posix.compare import Pair, compared
from tests.posix.objects import KINDS, listing, make
from tests.posix.place import NOBODY, SERVER, Place, User, acting_as
from tests.posix.syscalls import (
    RENAME_EXCHANGE,
    RENAME_NOREPLACE,
    UTIME_OMIT,
    all_dents,
    renameat2,
    truncate,
    utimensat,
)


@pytest.fixture
def pair(new_katas: Pair) -> Pair:
    """Every case of this module works at the top of a new kata."""
    return new_katas


CHANGES: dict[str, Callable[[str], object]] = {
    "chmod": lambda name: os.chmod(name, 0o1770),
    "chown": lambda name: os.chown(name, 19661, 33),
    "lchown": lambda name: os.lchown(name, 33, 33),
    "utime": lambda name: os.utime(name, ns=(1_000_000_007, 2_000_000_009)),
    "mtime only": lambda name: utimensat(name, (0, UTIME_OMIT), (5, 7)),
    "setxattr": lambda name: os.setxattr(name, "user.key", b"v"),
    "trusted attribute": lambda name: os.setxattr(name, "trusted.key", b"v"),
    "truncate": lambda name: truncate(name, 0),
    "unlink": os.unlink,
    "link": lambda name: os.link(name, "linked"),
    "open for writing": lambda name: os.open(name, os.O_RDWR),
    "make a file": lambda name: os.mknod(os.path.join(name, "new"), 0o100644),
    "make a folder": lambda name: os.mkdir(os.path.join(name, "new")),
    "make a link": lambda name: os.symlink("t", os.path.join(name, "new")),
    "mkdir": os.mkdir,
    "mkfifo": os.mkfifo,
    "symlink": lambda name: os.symlink("t", name),
}


def _top(at: Place, way: str) -> str:
    return "." if way == "from inside" else at.directory


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("way", ["from inside", "by its path"])
@compared
def test_each_change(at: Place, change: str, way: str) -> None:
    top = _top(at, way)
    with at.watching("."):
        at.tries(CHANGES[change], top)
    at.sees(".")
    at.notes("attributes", sorted(os.listxattr(".")))
    at.notes("mtime is set", os.stat(".").st_mtime_ns < 10_000_000_000)
    listing(at)


@pytest.mark.parametrize("user", [SERVER, NOBODY], ids=str)
@pytest.mark.parametrize("mode", [0o700, 0o755, 0o777, 0o1777, 0o2775, 0o3777, 0o555, 0o311])
@compared
def test_permissions(at: Place, user: User, mode: int) -> None:
    at.file("f", b"abc", 0o666)
    os.chown(".", SERVER.uid, SERVER.gid)
    os.chmod(".", mode)
    path = at.directory
    with acting_as(user):
        at.tries(os.listdir, path)
        at.tries(os.stat, f"{path}/f")
        at.opens(f"{path}/new", os.O_CREAT | os.O_RDWR)
        at.tries(os.mkdir, f"{path}/d")
        at.tries(os.unlink, f"{path}/f")
        at.tries(os.chmod, path, mode)
        at.tries(os.access, path, os.W_OK)
    listing(at)
    at.sees(".")


@pytest.mark.parametrize("kind", KINDS)
@compared
def test_objects_at_the_top(at: Place, kind: str) -> None:
    make(at, kind, "x")
    listing(at)
    at.sees(".")
    at.tries(os.rename, "x", "y")
    at.notes("kinds", sorted((entry.name, entry.kind) for entry in all_dents(at.open(".", os.O_RDONLY))))


@compared
def test_counts_its_folders(at: Place) -> None:
    for name in ("lion", "bear", "wolf"):
        os.mkdir(name)
    assert at.sees(".")["nlink"] == 5
    os.rmdir("bear")
    assert at.sees(at.directory)["nlink"] == 4


@compared
def test_dots(at: Place) -> None:
    os.mkdir("lion")
    top = {entry.name: entry.inode for entry in all_dents(at.open(".", os.O_RDONLY))}
    below = {entry.name: entry.inode for entry in all_dents(at.open("lion", os.O_RDONLY))}
    assert top[b"."] == below[b".."] == os.stat(at.directory).st_ino
    assert top[b".."] == os.stat("..").st_ino == os.stat(os.path.dirname(at.directory)).st_ino
    at.notes("names", sorted(top))


@compared
def test_setgid_is_inherited_from_the_top(at: Place) -> None:
    os.chown(".", 0, SERVER.gid)
    os.chmod(".", 0o2777)
    with acting_as(NOBODY):
        os.mkdir("d")
        os.close(os.open("d/f", os.O_CREAT | os.O_RDWR))
    assert at.sees("d")["mode"] == "0o2755"
    assert at.sees("d/f")["gid"] == SERVER.gid


@pytest.mark.parametrize("flags", [0, RENAME_NOREPLACE, RENAME_EXCHANGE])
@compared
def test_renames_at_the_top(at: Place, flags: int) -> None:
    at.folder("a")
    at.file("a/f", b"abc")
    at.folder("b")
    at.tries(renameat2, "a/f", "f", flags)
    at.tries(renameat2, "a", "b", flags)
    at.tries(renameat2, "b", "a/inside", flags)
    listing(at)


@compared
def test_removed_while_it_is_open(at: Place) -> None:
    fd = at.open(".", os.O_RDONLY)
    os.chdir("/")
    assert at.tries(os.rmdir, at.directory) == "ok"
    assert at.tries(os.stat, at.directory) == "ENOENT"
    assert at.gives(os.listdir, fd) == []
    assert at.tries(os.mkdir, "x", dir_fd=fd) == "ENOENT"
    assert at.tries(os.mkdir, at.directory) == "ok"
    assert at.sees(at.directory)["nlink"] == 2


@compared
def test_made_again_while_the_removed_one_is_open(at: Place) -> None:
    needs.generations()
    at.open(".", os.O_RDONLY)
    os.chdir("/")
    os.rmdir(at.directory)
    os.mkdir(at.directory)
    assert at.tries(os.mkdir, at.directory + "/lion") == "ok"
    assert at.gives(os.listdir, at.directory) == ["lion"]


@compared
def test_not_removed_while_something_is_in_it(at: Place) -> None:
    at.file("f")
    os.chdir("/")
    assert at.tries(os.rmdir, at.directory) == "ENOTEMPTY"
    assert at.gives(os.listdir, at.directory) == ["f"]
    shutil.rmtree(at.directory)
    assert at.tries(os.stat, at.directory) == "ENOENT"


@compared
def test_made_removed_and_made_again(at: Place) -> None:
    os.chdir("/")
    for number in range(10):
        os.rmdir(at.directory)
        assert at.tries(os.mkdir, at.directory, 0o750) == "ok"
        assert at.tries(os.mkdir, at.directory) == "EEXIST"
        at.sees(at.directory)
        os.mkdir(f"{at.directory}/{number}")
        assert at.gives(os.listdir, at.directory) == [str(number)]
        os.rmdir(f"{at.directory}/{number}")


@pytest.mark.parametrize("umask", [0, 0o022, 0o027, 0o077])
@pytest.mark.parametrize("mode", [0o777, 0o755, 0o700, 0o1777, 0o2775])
@compared
def test_mode_and_umask_of_a_new_one(at: Place, mode: int, umask: int) -> None:
    os.chdir("/")
    os.rmdir(at.directory)
    os.umask(umask)
    os.mkdir(at.directory, mode)
    assert at.sees(at.directory)["mode"] == oct(mode & ~umask & 0o1777)
