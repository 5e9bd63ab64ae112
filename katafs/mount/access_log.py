"""The file `.katafs/accesslog`: a line for each operation, while somebody reads it.

Without a reader nobody watches the requests. With some, an operation leaves what is to be said of it and goes on; a
thread of the log's own makes the lines. A reader that is too slow loses some, and is told how many.
"""

import datetime
import errno
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import NamedTuple, ParamSpec, TypeVar

from katafs.fuse.connection import Connection
from katafs.fuse.operations import Later
from katafs.fuse.requests import Request
from katafs.mount.paths import Paths, paths_of
from katafs.mount.watching import Done, noting
from katafs.observe.pairs import pairs
from katafs.threads import started
from katafs.tree.tree import Tree

MOST_LINES = 4096
"""So many wait for one reader."""
_GATHERING_S = 0.01
"""How long lines are gathered before a reader is woken: under load it would be woken for each otherwise."""

P = ParamSpec("P")
R = TypeVar("R")


class Entry(NamedTuple):
    """What is known of an operation."""

    time_ns: int
    """When it was answered, since 1970."""
    uid: int
    pid: int
    operation: str
    paths: Paths
    errno: int
    duration_ns: int


class AccessLog:
    """Owns the thread, and watches the connection while it has readers."""

    def __init__(self, tree: Tree, connection: Connection, unlogged: Callable[[int], bool]) -> None:
        """`unlogged` says of which inodes nothing is said: of the log itself, which would go on and on."""
        self._tree = tree
        self._connection = connection
        self._unlogged = unlogged
        self._watching = noting(self._note)
        self._changed = threading.Condition()
        """Covers the readers, with what waits in them, and the end. Told of entries, of readings and of the end."""
        self._readers: list[LogReading] = []
        self._over = False
        self._thread: threading.Thread | None = None

    def open(self) -> "LogReading":
        """A new reader, to which everything is said that is answered from now on. Raises NoThread."""
        with self._changed:
            if self._thread is None:
                self._thread = started(self._run, "katafs-accesslog")
            self._readers.append(reader := LogReading(self._changed, self._line, self._left))
            if len(self._readers) == 1:
                self._connection.methods.watch(self._watching)
        return reader

    def _left(self, reader: "LogReading") -> None:
        with self._changed:
            self._readers.remove(reader)
            if not self._readers:
                self._connection.methods.unwatch(self._watching)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._over = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _note(self, operation: str, request: Request) -> Done | None:
        if self._unlogged(request.node):
            return None
        return partial(self._answered, request.uid, request.pid, operation, paths_of(self._tree, request))

    def _answered(self, uid: int, pid: int, operation: str, paths: Paths, number: int, duration_ns: int) -> None:
        entry = Entry(time.time_ns(), uid, pid, operation, paths, number, duration_ns)
        with self._changed:
            for reader in self._readers:
                reader.add(entry)
            self._changed.notify()

    def _line(self, entry: Entry) -> str:
        kata = self._tree.kata_of(entry.paths.path)
        to = {} if entry.paths.to is None else {"to": os.fsdecode(entry.paths.to)}
        return pairs(
            {
                "time": _iso(entry.time_ns),
                "uid": entry.uid,
                "pid": entry.pid,
                "operation": entry.operation,
                "kata": kata or "-",
                "path": os.fsdecode(entry.paths.path),
                **to,
                "errno": errno.errorcode.get(entry.errno, str(entry.errno)),
                "us": entry.duration_ns // 1000,
            }
        )

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._over or any(reader.is_due() for reader in self._readers))
                self._changed.wait_for(lambda: self._over, _GATHERING_S)
                if self._over:
                    return
                due = [reading for reader in self._readers if (reading := reader.due())]
            for future, call in due:
                if future.set_running_or_notify_cancel():
                    call()
                    future.set_result(None)


class LogReading(Executor):
    """One open file of the log, and the executor of its readings, which wait here until there is something to read.

    They are no running calls meanwhile, so that an interrupted one can be given up."""

    def __init__(
        self, changed: threading.Condition, line: Callable[[Entry], str], left: Callable[["LogReading"], None]
    ) -> None:
        self._changed = changed
        self._line = line
        self._left = left
        self._entries: deque[Entry] = deque()
        self._lost = 0
        self._waiting: deque[tuple[Future[None], Callable[[], object]]] = deque()
        self._rest = b""
        """Lines that the last reading had no room for; the log's thread alone uses it."""

    def add(self, entry: Entry) -> None:
        """Leave an entry, or count it where there are too many. With the log's lock."""
        if len(self._entries) < MOST_LINES:
            self._entries.append(entry)
        else:
            self._lost += 1

    def is_due(self) -> bool:
        """Whether a reading waits, and there is something for it. With the log's lock."""
        return bool(self._waiting) and bool(self._rest or self._entries)

    def due(self) -> tuple[Future[None], Callable[[], object]] | None:
        """Take the first reading that waits, if it is due. With the log's lock."""
        return self._waiting.popleft() if self.is_due() else None

    def read(self, _: int, size_bytes: int) -> Later[bytes]:
        """As in Reading: what comes next, whatever the offset."""
        return Later(self, partial(self._take, size_bytes))

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """As Executor has it, for a reading."""
        future: Future[R] = Future()
        with self._changed:
            self._waiting.append((future, partial(fn, *args, **kwargs)))  # type: ignore[arg-type]  # its result is None
            self._changed.notify()
        return future

    def close(self) -> None:
        """As in Reading."""
        self._left(self)

    def _take(self, size_bytes: int) -> bytes:
        if not self._rest:
            self._rest = self._lines()
        taken, self._rest = self._rest[:size_bytes], self._rest[size_bytes:]
        return taken

    def _lines(self) -> bytes:
        with self._changed:
            entries, lost = list(self._entries), self._lost
            self._entries.clear()
            self._lost = 0
        lines = [self._line(entry) for entry in entries]
        if lost:
            lines.append(pairs({"time": _iso(time.time_ns()), "lost": lost}))
        return "".join(f"{line}\n" for line in lines).encode()


def _iso(time_ns: int) -> str:
    moment = datetime.datetime.fromtimestamp(time_ns // 1_000_000_000, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ns // 1000 % 1_000_000:06d}Z"
