"""The tree without a mount: in each operation each call of the system fails in turn, and nothing is left behind."""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Callable
from typing import Any

import pytest

from katafs.config import Sandboxes
from katafs.errors import KatafsError
from katafs.kata_id import VolumeName
from katafs.rooted import syscalls
from katafs.rooted.names import RENAME_EXCHANGE
from katafs.tree.inodes import Changes
from katafs.volumes.memory import MemoryStore
from tests.unit.conftest import Trees
from tests.unit.kernel import ME, Kernel, Reply

KATA, EMPTY, NEW = b"123456789A", b"ABCDEF0123", b"5555555555"
FILE, DIRECTORY = KATA + b"/dir/f", KATA + b"/dir"
CALLS = [
    *((os, name) for name in ("open", "fstat", "stat", "dup", "lseek", "listdir", "scandir", "readlink", "fstatvfs")),
    *((os, name) for name in ("mkdir", "mknod", "rmdir", "symlink", "link", "unlink", "chmod", "fsync", "ftruncate")),
    *((syscalls, name) for name in ("open_inside", "open_inside_if_there", "rename", "set_times")),
]
"""Not close(2): what only names a file is closed whatever it says."""


class Failing:
    """The calls, of which one fails."""

    def __init__(self, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left = at
        for owner, name in CALLS:
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    @property
    def has_failed(self) -> bool:
        """Whether there were so many."""
        return self._left <= 0

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401  # as the call's
            self._left -= 1
            if self._left == 0:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return call(*arguments, **named)

        return counted


def opened(path: bytes, flags: int) -> Callable[[Kernel], None]:
    def act(tree: Kernel) -> None:
        files = tree.tree.files
        files.release(files.open(tree.number(path), flags, ME))

    return act


def listed(path: bytes) -> Callable[[Kernel], None]:
    def act(tree: Kernel) -> None:
        directories, reply = tree.tree.directories, Reply()
        handle = directories.open(tree.number(path))
        try:
            directories.fill(handle, 0, reply)
            directories.fsync(handle)
        finally:
            tree.known.update(entry.told.number for entry in reply.given() if entry.name not in (b".", b".."))
            directories.release(handle)

    return act


def changed(path: bytes, **changes: int) -> Callable[[Kernel], object]:
    return lambda tree: tree.tree.inodes.setattr(tree.number(path), Changes(**changes), None, ME)


def renamed(old: bytes, new: bytes, flags: int = 0) -> Callable[[Kernel], object]:
    def act(tree: Kernel) -> None:
        tree.lookup(old)
        tree.rename(old, new, flags)

    return act


OPERATIONS: dict[str, Callable[[Kernel], object]] = {
    "lookup": lambda tree: tree.lookup(FILE),
    "lookup of a directory": lambda tree: tree.lookup(DIRECTORY),
    "lookup of a kata": lambda tree: tree.lookup(KATA),
    "lookup of a sandbox": lambda tree: tree.lookup(KATA + b"/lion/sandbox"),
    "lookup of an alias": lambda tree: tree.lookup(b"12/3456789A"),
    "lookup of a file where volumes may call for a directory": lambda tree: tree.lookup(KATA + b"/tiger"),
    "lookup of a file that is hidden by what volumes call for": lambda tree: tree.lookup(KATA + b"/owl"),
    "getattr": lambda tree: tree.tree.inodes.getattr(tree.number(FILE)),
    "getattr of a directory": lambda tree: tree.tree.inodes.getattr(tree.number(DIRECTORY)),
    "statfs": lambda tree: tree.tree.inodes.statfs(tree.number(FILE)),
    "readlink": lambda tree: tree.readlink(KATA + b"/dir/link"),
    "getxattr": lambda tree: tree.tree.inodes.getxattr(tree.number(FILE), b"user.k", ME),
    "chmod": changed(FILE, mode=0o600),
    "truncate": changed(FILE, size=1),
    "utimensat": changed(FILE, atime_ns=1, mtime_ns=1),
    "chmod of a directory that isn't there yet": changed(b"12", mode=0o700),
    "symlink": lambda tree: tree.symlink(b"target", KATA + b"/dir/new"),
    "mknod": lambda tree: tree._named(  # noqa: SLF001  # its own
        tree.tree.creation.mknod(tree.number(DIRECTORY), b"new", stat.S_IFIFO | 0o600, 0, ME)
    ),
    "link": lambda tree: tree.link(FILE, KATA + b"/dir/new"),
    "mkdir": lambda tree: tree.mkdir(KATA + b"/dir/new"),
    "mkdir of a kata": lambda tree: tree.mkdir(NEW),
    "rmdir": lambda tree: tree.rmdir(KATA + b"/dir/sub"),
    "rmdir of a kata": lambda tree: tree.rmdir(EMPTY),
    "unlink": lambda tree: tree.unlink(FILE),
    "unlink of a file where volumes may call for a directory": lambda tree: tree.unlink(KATA + b"/tiger"),
    "rename": renamed(FILE, KATA + b"/dir/new"),
    "rename over another": renamed(FILE, KATA + b"/dir/g"),
    "rename with an exchange": renamed(FILE, KATA + b"/dir/sub", RENAME_EXCHANGE),
    "create": lambda tree: tree.write(KATA + b"/dir/new", b""),
    "open": opened(FILE, os.O_RDONLY),
    "open with O_TRUNC": opened(FILE, os.O_WRONLY | os.O_TRUNC),
    "listing": listed(DIRECTORY),
    "listing of a kata": listed(KATA),
    "listing of the top": listed(b""),
    "listing of what no volume holds": listed(b"12"),
}


@pytest.fixture
def tree(tree_of: Trees, store: MemoryStore) -> Kernel:
    """A tree with volumes, in which is nothing yet."""
    for name in (KATA, EMPTY, KATA + b"_lion", KATA + b"_owl"):
        store.create(VolumeName(name.decode()))
    return tree_of(sandboxes=Sandboxes.AVATAR)


def fill(store: MemoryStore) -> None:
    """Make all be as if nothing had been done."""
    with contextlib.suppress(FileNotFoundError):
        store.remove(VolumeName(NEW.decode()))
    with contextlib.suppress(FileExistsError):
        store.create(VolumeName(EMPTY.decode()))
    shutil.rmtree(store.path / "katafs_root" / "12", ignore_errors=True)
    kata = store.path / KATA.decode()
    for each in kata.iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    (kata / "dir" / "sub").mkdir(parents=True)
    (kata / "lion").mkdir()
    for name in ("dir/f", "dir/g", "tiger", "owl"):
        (kata / name).write_text("content")
    (kata / "dir" / "link").symlink_to("target")


def held(tree: Kernel) -> tuple[int, int, int, list[str]]:
    """What there is of nodes, handles and descriptors once the kernel has forgotten all."""
    tree.tree.forget(list(tree.known.items()))
    tree.known.clear()
    figures = tree.tree.figures()
    return figures.nodes, figures.open_files, figures.open_directories, sorted(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_call_that_fails_leaves_nothing_behind(
    tree: Kernel, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    fill(store)
    OPERATIONS[operation](tree)
    before = held(tree)
    at, has_failed = 0, True
    while has_failed:
        at += 1
        fill(store)
        with monkeypatch.context() as patching:
            failing = Failing(at, patching)
            with contextlib.suppress(OSError, KatafsError):
                OPERATIONS[operation](tree)
            has_failed = failing.has_failed
        assert held(tree) == before, f"after the failure of call {at}"
    assert at > 1
