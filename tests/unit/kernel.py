"""Plays the kernel for a tree that isn't mounted: walks paths, counts the lookups it was given, and gives them back."""

import errno
import gc
import os
import stat
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple, TypeVar

from katafs.kata_id import VolumeName
from katafs.rooted.answer import answer
from katafs.tree.attributes import Attributes, made_up
from katafs.tree.legacy import Unconverted
from katafs.tree.requests import Caller
from katafs.tree.tree import Tree
from katafs.volumes.legacy_store import Unasked
from katafs.volumes.memory import MemoryStore
from tests.harness.waiting import until

T = TypeVar("T")

ROOT = 1


class Somebody(NamedTuple):
    """A user and a group, and a thread of theirs."""

    uid: int
    gid: int
    pid: int = 0


ME = Somebody(os.geteuid(), os.getegid())


class Kernel:
    """Paths are relative to the top, with slashes: `12/3456789A/lion`; empty for the top itself."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.known: Counter[int] = Counter()
        """How often a reply has named each inode."""

    def lookup(self, path: bytes) -> Attributes:
        """The path's attributes, from one LOOKUP for each of its names. Raises as the tree does."""
        *above, name = path.split(b"/")
        return self._named(self.found(self.number(b"/".join(above)), name))

    def found(self, parent: int, name: bytes) -> Attributes:
        """The entry of a name, from one LOOKUP. Raises FileNotFoundError, or as the tree does."""
        told = self.tree.lookups.lookup(parent, name)
        if told is None:
            raise answer(errno.ENOENT, name)
        return told

    def number(self, path: bytes) -> int:
        """The path's inode number."""
        return self.lookup(path).number if path else ROOT

    def change(self, call: Callable[[], T]) -> T:
        """Make a call as the edge makes it, which may have something on a legacy disk converted first, or the store
        asked."""
        while True:
            try:
                return call()
            except Unconverted as first:
                self.tree.convert(first.piece)
            except Unasked as first:
                self.tree.ask(first)

    def _named(self, told: Attributes) -> Attributes:
        self.known[told.number] += 1
        return told

    def _parent(self, path: bytes) -> tuple[int, bytes]:
        above, _, name = path.rpartition(b"/")
        return self.number(above), name

    def mkdir(self, path: bytes, mode: int = 0o755, caller: Caller = ME) -> Attributes:
        """mkdir(2)."""
        parent, name = self._parent(path)
        volume = self.tree.volumes.made_by_mkdir(parent, name)
        if volume is None:
            return self._named(self.tree.creation.mkdir(parent, name, mode, caller))
        return self._named(self.tree.volumes.make(volume, parent, name, mode, caller))

    def rmdir(self, path: bytes) -> None:
        """rmdir(2)."""
        parent, name = self._parent(path)
        volume = self.tree.volumes.removed_by_rmdir(parent, name)
        if volume is None:
            self.tree.removal.rmdir(parent, name)
        else:
            self.tree.volumes.remove(volume, parent, name)

    def unlink(self, path: bytes) -> None:
        """unlink(2)."""
        self.tree.removal.unlink(*self._parent(path))

    def rename(self, old: bytes, new: bytes, flags: int = 0) -> None:
        """renameat2(2)."""
        self.tree.removal.rename(self._parent(old), self._parent(new), flags)

    def link(self, old: bytes, new: bytes) -> Attributes:
        """link(2)."""
        return self._named(self.tree.creation.link(self.number(old), *self._parent(new)))

    def symlink(self, target: bytes, path: bytes) -> Attributes:
        """symlink(2)."""
        parent, name = self._parent(path)
        return self._named(self.tree.creation.symlink(parent, name, target, ME))

    def readlink(self, path: bytes) -> bytes:
        """readlink(2)."""
        return self.tree.inodes.readlink(self.number(path))

    def write(self, path: bytes, content: bytes, mode: int = 0o644, caller: Caller = ME) -> Attributes:
        """A new file with this content."""
        handle, told = self.tree.files.create(*self._parent(path), os.O_WRONLY, mode, caller)
        self.tree.files.write(handle, 0, content, appends=False)
        self.tree.files.release(handle)
        return self._named(told)

    def read(self, path: bytes) -> bytes:
        """A file's content."""
        handle = self.tree.files.open(self.number(path), os.O_RDONLY, ME)
        content = self.tree.files.read(handle, 0, 1 << 20)
        self.tree.files.release(handle)
        return content

    def entries(self, path: bytes) -> dict[bytes, Attributes]:
        """What a listing with attributes shows, `.` and `..` among it."""
        handle = self.tree.directories.open(self.number(path))
        found = {}
        for name, told, _ in self.listed(handle):
            found[name] = told
            if name not in (b".", b".."):
                self._named(told)
        self.tree.directories.release(handle)
        return found

    def listed(self, handle: int, start: int = 0, room: int = 1 << 30) -> "list[Taken]":
        """The entries in one reply that has room for so many."""
        reply = Reply(room)
        self.tree.directories.fill(handle, start, reply)
        return reply.given()

    def names(self, path: bytes) -> list[bytes]:
        """The names in a directory, sorted."""
        return sorted(name for name in self.entries(path) if name not in (b".", b".."))

    def forget_all(self) -> None:
        """Give every lookup back."""
        self.tree.forget(list(self.known.items()))
        self.known.clear()
        gc.collect()  # which not every Python does by itself at once


class Taken(NamedTuple):
    """An entry of a listing."""

    name: bytes
    told: Attributes
    following: int


class Reply:
    """What a listing is put into."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.entries: list[Taken] = []
        self._room = room
        self.within: AbstractContextManager[None] = nullcontext()
        """What it is to be given in a `with` of."""

    def room_for(self, names: Sequence[bytes]) -> int:
        """How many there is room for."""
        return min(len(names), self._room - len(self.entries))

    def add(self, names: Sequence[bytes], told: Sequence[Attributes], following: int) -> None:
        """Take them."""
        for number, (name, each) in enumerate(zip(names, told, strict=False), following):
            self.entries.append(Taken(name, each, number))

    def add_unknown(self, name: bytes, number: int, following: int, mode: int = stat.S_IFDIR) -> None:
        """Take a dot, or what is damaged: no tree without a mount has anything on another disk."""
        assert name in (b".", b"..") or not mode
        status = made_up(mode, (0, 0), 0, 0, 0)
        self.entries.append(Taken(name, Attributes(number, 0, status, 0, 0, 0.0), following))

    def give_within(self, giving: AbstractContextManager[None]) -> None:
        """Be given in a `with` of this."""
        self.within = giving

    def given(self) -> "list[Taken]":
        """The entries, once the kernel has them."""
        with self.within:
            return self.entries

    def is_empty(self) -> bool:
        """Whether nothing was added."""
        return not self.entries


def volume_behind(store: MemoryStore, name: str) -> Path:
    """A volume that somebody else makes, from when on the store knows of it."""
    path = store.path / name
    path.mkdir()
    until(lambda: VolumeName(name) in store.catalog(), f"the store to know of {name}")
    return path
