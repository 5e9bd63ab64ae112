"""Serves what a tree has on other disks than its root volume, in threads of their own: a disk that hangs holds up those
who use it, and nobody else.

Only from the first time on that a volume of such a disk is met: where there is none nothing is asked of anybody. That a
volume is there is told without asking its disk (`tops`).
"""

import errno
import functools
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from katafs.fuse import wire
from katafs.fuse.connection import Connection
from katafs.fuse.operations import Answer, Later
from katafs.fuse.requests import Carried, Method, Request
from katafs.mount.lanes import Closed, Lanes
from katafs.mount.operations import Operations
from katafs.mount.shrinker import Shrinker
from katafs.mount.syncs import LastOpened
from katafs.mount.tops import Top, Tops
from katafs.rooted.answer import answer
from katafs.tree.attributes import Attributes
from katafs.tree.nodes import Node
from katafs.tree.tree import Tree
from katafs.volumes.disks import Disk

_THREADS = 64
_THREADS_OF_ONE_DISK = 8
_OTHER_NODES = {wire.RENAME: wire.RENAME_IN, wire.RENAME2: wire.RENAME2_IN, wire.LINK: wire.LINK_IN}
"""Requests about two inodes, and the structures that begin with the second one's number."""
_ABOUT_OPEN = {wire.READDIRPLUS, wire.RELEASEDIR, wire.FSYNCDIR}
"""Requests about what is open, whatever has come to its place since."""
_SYNCS = {wire.FSYNC, wire.FSYNCDIR}
"""Requests that wait in threads of the part's own, and ask its disk for nothing before."""


class _Part(NamedTuple):
    """What there is for one disk."""

    disk: Disk
    tree: Tree
    operations: Operations
    methods: dict[int, Method]
    shrinker: Shrinker


class Parts:
    """Finds out which part a request is about. Safe for several threads."""

    def __init__(self, tree: Tree, connection: Connection, last_opened: LastOpened) -> None:
        self._tree = tree
        self._connection = connection
        self._last_opened = last_opened
        self._threads = Lanes("katafs-part", _THREADS, _THREADS_OF_ONE_DISK)
        self._lock = threading.Lock()
        """Covers the making and leaving of parts, and which of them get a top."""
        self._parts: dict[Disk, _Part] = {}
        """To look at them, and to look for one, is one step."""
        self._tops = Tops()
        self._routes = False
        self._stopped = False

    def stop_asking(self) -> None:
        """Ask the kernel to forget nothing more."""
        with self._lock:
            self._stopped = True
            parts = list(self._parts.values())
        for part in parts:
            part.shrinker.close()

    def close(self, seconds: float) -> bool:
        """Begin nothing more, and wait for what was begun, so long at most; whether it needed no more."""
        deadline_s = time.monotonic() + seconds
        closing = [self._threads.close, *(part.operations.close for part in self._parts.values())]
        done = [close(max(0.0, deadline_s - time.monotonic())) for close in closing]
        return all(done)

    def enter(self, disk: Disk | None, parent: Node, name: bytes) -> Answer[Attributes]:
        """The entry of a volume that is served with this disk, whose name is in a directory of another part."""
        if disk is None:
            return Later(self._threads.of(None), functools.partial(self._tree.lookups.lookup_top, parent, name))
        with self._lock:
            return self._tops.name(disk, self._part_on(disk).tree, parent, name)

    def enter_made(self, disk: Disk | None, parent: Node, name: bytes) -> Attributes:
        """The same of one that was made just now, where another may have been: its disk is asked. Raises as that."""
        entered = self.enter(disk, parent, name)
        if isinstance(entered, Later):
            return entered.call()
        try:
            return self._tops.found(entered.number)
        except BaseException:
            self._give_back(entered.number, 1)
            raise

    def forget(self, forgotten: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
        """Take back lookups, of whatever part; which of them are to be taken back from the tree itself. Not all: what a
        part has forgotten may be looked up there a moment later."""
        parts = list(self._parts.values())
        if not parts:
            return forgotten
        home = self._tree.known_of(forgotten)
        tops: list[tuple[int, int]] = []
        below: list[tuple[int, int]] = []
        for each in forgotten:
            (tops if self._tops.of(each[0]) else below).append(each)
        for part in parts:
            known = [each for each in below if part.tree.knows(each[0])]
            if known:
                self._when_it_answers(part.disk, functools.partial(part.tree.forget, known))
        for number, count in tops:
            self._give_back(number, count)
        return home

    def _give_back(self, number: int, count: int) -> None:
        top = self._tops.give_back(number, count)
        if top is not None:
            self._when_it_answers(top.disk, functools.partial(self._tops.forget, top))

    def _when_it_answers(self, disk: Disk, forget: Callable[[], None]) -> None:
        try:
            self._threads.of(disk).submit(forget)
        except Closed:
            pass  # the mount is being taken away
        except (RuntimeError, MemoryError):  # no thread can be had: rather wait for the disk than keep them for ever
            forget()

    def _part_on(self, disk: Disk) -> _Part:
        part = self._parts.get(disk)
        if part is None:
            if self._stopped:  # nobody would end its shrinker
                raise answer(errno.ENOTCONN)
            self._leave_unused()
            part = self._made(disk)
            if not self._routes:
                self._connection.methods.route(self._routed)
                self._routes = True
            self._parts[disk] = part
        return part

    def _leave_unused(self) -> None:
        """A disk that is mounted again often has another number: of those that were, nothing is to be left."""
        for part in list(self._parts.values()):
            if part.tree.is_unused() and not self._tops.any_of(part.tree):
                del self._parts[part.disk]
                part.shrinker.stop()
                self._tree.leave(part.disk)

    def _made(self, disk: Disk) -> _Part:
        tree = self._tree.on(disk)
        operations = Operations(tree, self._last_opened)
        operations.parts = self
        shrinker = Shrinker(tree.surplus, self._connection)
        shrinker.start()
        return _Part(disk, tree, operations, self._connection.dispatcher_of(operations).methods, shrinker)

    def _of(self, number: int) -> _Part | None:
        top = self._tops.of(number)
        if top is not None:
            return self._parts.get(top.disk)
        for part in list(self._parts.values()):
            if part.tree.knows(number):
                return part
        return None

    def _routed(self, opcode: int, method: Method) -> Method:
        other = _OTHER_NODES.get(opcode)

        @functools.wraps(method)
        def routed(request: Request) -> Answer[Carried]:
            numbers = [request.node] if other is None else [request.node, other.unpack_from(request.body)[0]]
            part = self._of(request.node)
            if other is not None and self._of(numbers[1]) is not part:
                raise answer(errno.EXDEV)
            if part is None:
                return method(request)
            if opcode in _SYNCS:
                return part.methods[opcode](request)
            tops = [] if opcode in _ABOUT_OPEN else [top for each in numbers if (top := self._tops.of(each))]
            # Of a write the buffer is lent to whoever answers later.
            kept = request if opcode == wire.WRITE else request.kept()
            return Later(self._threads.of(part.disk), functools.partial(_answered, tops, part.methods[opcode], kept))

        return routed


def _answered(tops: Iterable[Top], method: Method, request: Request) -> Carried:
    """The answer about these, however long it takes."""
    for top in tops:
        top.look(tells=request.opcode == wire.GETATTR)
    answered = method(request)
    while isinstance(answered, Later):
        answered = answered.call()
    return answered
