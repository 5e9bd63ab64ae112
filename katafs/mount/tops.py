"""The tops of volumes on other disks, as the kernel knows them: it is told of one at once, and their disk is asked with
the first request about the top itself.

For a disk may hang, and while a name is looked up the kernel lets nobody make or remove one in the same directory, and
behind who wants to it lets nobody look up another: a lookup that waited would hold up everybody.
"""

import errno
import threading

from katafs.kata_id import VolumeName
from katafs.rooted.answer import answer
from katafs.rooted.inodes import identity_of
from katafs.tree.attributes import NOBODYS_RIGHTS, Attributes
from katafs.tree.nodes import Node, rights_of
from katafs.tree.tree import Tree
from katafs.volumes.disks import Disk


class Top:
    """One of them. Its part counts a lookup each time that the disk is asked, and gets all of them back at the end."""

    def __init__(self, number: int, disk: Disk, tree: Tree, volume: VolumeName, at: tuple[Node, bytes]) -> None:
        self.number = number
        self.disk = disk
        self.tree = tree
        """The part that serves it."""
        self._volume = volume
        self._at = at
        self._lock = threading.Lock()
        """Covers what comes of a look."""
        self._named = 0
        self._given_back = 0
        self._counted = 0
        self._looked_at = 0
        """How often it had been named when its disk was asked last."""
        self._identity: tuple[int, int] | None = None
        """Of the directory that was there then."""
        self._generation = 0
        self._guessed = NOBODYS_RIGHTS
        """The mode, the owner and the group that it was named with last."""
        self._misled = False
        """Whether the kernel may have let somebody pass by a guess that was wrong."""

    def name(self, at: tuple[Node, bytes], guessed: Attributes) -> None:
        """A reply is about to name it with this, which gets the generation: its disk is to be asked again."""
        with self._lock:
            self._at = at
            self._named += 1
            self._guessed = rights_of(guessed.status)
            guessed.generation = self._generation

    def give_back(self, count: int) -> bool:
        """The kernel forgets so many of these; whether they were the last."""
        self._given_back += count
        return self._given_back >= self._named

    def look(self, *, tells: bool) -> None:
        """Ask the disk what is there, unless it was asked since the kernel was told last; `tells` for a request that is
        answered with that. Raises as `Lookups.lookup_top`, and OSError(ESTALE) where another directory has come there,
        or the kernel has checked permissions by what holds no more: it then looks the path up anew."""
        if self._looked_at != self._named:
            generation = self._generation
            self._ask()
            if self._generation != generation:
                raise answer(errno.ESTALE, self._at[1])
        if tells:
            self._misled = False
        elif self._misled:
            raise answer(errno.ESTALE, self._at[1])

    def found(self) -> Attributes:
        """What is there, asked now, for a reply. Raises as `Lookups.lookup_top`."""
        told = self._ask()
        self._misled = False
        return told

    def _ask(self) -> Attributes:
        named = self._named
        told = self.tree.lookups.lookup_top(*self._at)
        identity = identity_of(told.status)
        with self._lock:
            self._counted += 1
            # The node's generation is no use: it is told of before it is there.
            self._generation += self._identity not in (None, identity)
            self._identity, self._looked_at = identity, named
            self._misled = self._guessed not in (NOBODYS_RIGHTS, rights_of(told.status))
        told.generation = self._generation
        return told

    def forget(self) -> None:
        """Have the part forget it, which may wait for the disk."""
        self.tree.forget([(self.number, self._counted)])

    def leave(self) -> None:
        """Have the volume be no longer the part's."""
        self.tree.give_up(self._volume, self.number)


class Tops:
    """All of them. Safe for several threads; nothing here but `Top.look` and `forget` waits for a disk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Covers the table, and whose the volumes in it are."""
        self._by_number: dict[int, Top] = {}
        self.of = self._by_number.get
        """The top of a number, or None."""

    def name(self, disk: Disk, tree: Tree, parent: Node, name: bytes) -> Attributes:
        """The entry of a volume that this part serves, for a reply. Raises OSError(ESTALE) where another part does."""
        with self._lock:
            volume, told = tree.lookups.foreseen_top(parent, name)
            top = self._by_number.get(told.number)
            if top is None:
                top = self._by_number[told.number] = Top(told.number, disk, tree, volume, (parent, name))
            top.name((parent, name), told)
            return told

    def found(self, number: int) -> Attributes:
        """What is there of one that was just named, and nobody has been told of yet. Raises as `Top.found`."""
        return self._by_number[number].found()

    def give_back(self, number: int, count: int) -> Top | None:
        """The kernel forgets so many of a top's lookups; the top if it knows it no more."""
        with self._lock:
            top = self._by_number.get(number)
            if top is None or not top.give_back(count):
                return None
            return self._by_number.pop(number)

    def forget(self, top: Top) -> None:
        """Have a top's part forget it, unless the kernel was told of it again meanwhile."""
        top.forget()
        with self._lock:
            if top.number not in self._by_number:
                top.leave()

    def any_of(self, tree: Tree) -> bool:
        """Whether the kernel knows any that this part serves."""
        with self._lock:
            return any(top.tree is tree for top in self._by_number.values())
