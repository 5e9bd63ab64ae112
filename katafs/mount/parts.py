"""Serves what a tree has on other disks than its root volume, in threads of their own: a disk that hangs holds up those
who use it, and nobody else.

Only from the first time on that a volume of such a disk is met: where there is none nothing is asked of anybody.
"""

import errno
import functools
import threading
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from katafs.fuse import wire
from katafs.fuse.connection import Connection
from katafs.fuse.operations import Answer, Later
from katafs.fuse.requests import Carried, Method, Request
from katafs.mount.lanes import Closed, Lanes
from katafs.mount.operations import Operations
from katafs.mount.shrinker import Shrinker
from katafs.rooted.answer import answer
from katafs.tree.attributes import Attributes
from katafs.tree.nodes import Node
from katafs.tree.tree import Tree
from katafs.volumes.disks import Disk

_THREADS = 64
_THREADS_OF_ONE_DISK = 8
_OTHER_NODES = {wire.RENAME: wire.RENAME_IN, wire.RENAME2: wire.RENAME2_IN, wire.LINK: wire.LINK_IN}
"""Requests about two inodes, and the structures that begin with the second one's number."""


class _Part(NamedTuple):
    """What there is for one disk."""

    disk: Disk
    tree: Tree
    methods: dict[int, Method]
    shrinker: Shrinker


class Parts:
    """Finds out which part a request is about. Safe for several threads."""

    def __init__(self, tree: Tree, connection: Connection) -> None:
        self._tree = tree
        self._connection = connection
        self._threads = Lanes("katafs-part", _THREADS, _THREADS_OF_ONE_DISK)
        self._lock = threading.Lock()
        """Covers the making and leaving of parts, and who enters them."""
        self._parts: dict[Disk, _Part] = {}
        """To look at them, and to look for one, is one step."""
        self._entering: Counter[Disk] = Counter()
        """How many look for a volume in each."""
        self._routes = False
        self._stopped = False

    def stop_asking(self) -> None:
        """Ask the kernel to forget nothing more."""
        with self._lock:
            self._stopped = True
            for part in self._parts.values():
                part.shrinker.close()

    def close(self, seconds: float) -> bool:
        """Begin nothing more, and wait for what was begun, so long at most; whether it needed no more."""
        return self._threads.close(seconds)

    def enter(self, disk: Disk | None, parent: Node, name: bytes) -> Later[Attributes]:
        """The entry of a volume that is served with this disk, whose name is in a directory of another part."""
        return Later(self._threads.of(disk), functools.partial(self._enter, disk, parent, name))

    def _enter(self, disk: Disk | None, parent: Node, name: bytes) -> Attributes:
        if disk is None:
            return self._tree.lookups.lookup_top(parent, name)
        try:
            # Not before: one that is given up before it is begun must not count as entering.
            return self._entered(disk).lookups.lookup_top(parent, name)
        finally:
            with self._lock:
                self._entering[disk] -= 1

    def forget(self, forgotten: Sequence[tuple[int, int]]) -> None:
        """Take back lookups, of whatever part."""
        for part in list(self._parts.values()):
            known = [(number, count) for number, count in forgotten if part.tree.knows(number)]
            if known:
                try:
                    self._threads.of(part.disk).submit(part.tree.forget, known)
                except Closed:
                    pass  # the mount is being taken away
                except RuntimeError:  # no thread can be had: rather wait for the disk than keep them for ever
                    part.tree.forget(known)

    def _entered(self, disk: Disk) -> Tree:
        with self._lock:
            self._entering[disk] += 1
            part = self._parts.get(disk)
            if part is None:
                if self._stopped:  # nobody would end its shrinker
                    raise answer(errno.ENOTCONN)
                self._leave_unused()
                part = self._made(disk)
                if not self._routes:
                    self._connection.route(self._routed)
                    self._routes = True
                self._parts[disk] = part
            return part.tree

    def _leave_unused(self) -> None:
        """A disk that is mounted again often has another number: of those that were, nothing is to be left."""
        for part in list(self._parts.values()):
            if part.tree.is_unused() and not self._entering[part.disk]:
                del self._parts[part.disk]
                part.shrinker.close()
                self._tree.leave(part.disk)

    def _made(self, disk: Disk) -> _Part:
        tree = self._tree.on(disk)
        operations = Operations(tree)
        operations.parts = self
        shrinker = Shrinker(tree.surplus, self._connection)
        shrinker.start()
        return _Part(disk, tree, self._connection.dispatcher_of(operations).methods, shrinker)

    def _of(self, number: int) -> _Part | None:
        for part in list(self._parts.values()):
            if part.tree.knows(number):
                return part
        return None

    def _routed(self, opcode: int, method: Method) -> Method:
        other = _OTHER_NODES.get(opcode)

        @functools.wraps(method)
        def routed(request: Request) -> Answer[Carried]:
            part = self._of(request.node)
            if other is not None and self._of(other.unpack_from(request.body)[0]) is not part:
                raise answer(errno.EXDEV)
            if part is None:
                return method(request)
            # Of a write the buffer is lent to whoever answers later.
            kept = request if opcode == wire.WRITE else request.kept()
            return Later(self._threads.of(part.disk), functools.partial(_answered, part.methods[opcode], kept))

        return routed


def _answered(method: Method, request: Request) -> Carried:
    """The answer, however long it takes."""
    answered = method(request)
    while isinstance(answered, Later):
        answered = answered.call()
    return answered
