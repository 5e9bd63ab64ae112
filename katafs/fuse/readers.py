"""The threads that read requests: one at a time, so that they don't stand in each other's way.

Quick requests are answered by the thread that read them: with Python's one lock a second reader would only make both
slower. But a request may take long all the same, on a slow disk. So there is a watcher, and where one request keeps
the reading thread for some moments, another begins to read.
"""

import contextlib
import threading
from collections.abc import Callable

from katafs.errors import NoThread
from katafs.threads import joined, started

_MOMENT_S = 0.01
"""How often it is looked whether a request keeps the reading thread: after one to two of these another reads."""
_CALM_MOMENTS = 20
"""After so many without a request the watcher sleeps until there is one."""
_MOST_THREADS = 16


class Reader:
    """One of the threads. What it has read into its buffer is good until it reads again."""

    def __init__(self, buffer: memoryview) -> None:
        self.taken = 0
        """How many requests it has read."""
        self.answering = False
        """Whether it is at one of them, or at one that was put off."""
        self.turn = threading.Semaphore(0)
        """Released when it is to read."""
        self.buffer = buffer
        self.served = 0
        """The number of the request that it has begun to serve last."""
        self.failures = 0
        """How many of its readings have failed since it read a request."""
        self.failed_after = 0
        """How many it had read then."""


class Readers:
    """Calls `read` until it says that there is nothing more to come, then `ended`, once."""

    def __init__(
        self,
        read: Callable[[Reader], bool],
        ended: Callable[[], None],
        buffer_bytes: int,
        note: Callable[[int], None],
    ) -> None:
        """`read` takes and answers one request, and keeps the reader's record of it. `note` is told every moment how
        many have been taken in all, until there were none for a while; and 0 in the end."""
        self._read = read
        self._note = note
        self._when_ended = ended
        self._buffer_bytes = buffer_bytes
        self._lock = threading.Lock()
        """Covers who reads, who waits for a turn, and the end."""
        self._waiting: list[Reader] = []
        self._threads: list[threading.Thread] = []
        self._over = False
        self.watcher_asleep = False
        """Whether a reader that takes a request has to stir the watcher."""
        self._stirred = threading.Semaphore(0)
        """Released to wake the watcher."""
        self._spare: list[memoryview] = []
        """Buffers that nobody uses. To take or leave one is one step."""
        self._reading = Reader(self._buffer())
        self._all = [self._reading]

    def at_work(self) -> list[tuple[Reader, int]]:
        """Those that are at a request now, each with the number of requests it has taken."""
        return [(reader, reader.taken) for reader in self._all.copy() if reader.answering]

    def reads(self, reader: Reader) -> bool:
        """Whether it's this one's turn to read. Another that reads now has begun to after its turn came."""
        return self._reading is reader

    def can_hand_over(self) -> bool:
        """Whether another can read if a request takes its time. Not a promise: the system may have no more threads."""
        return bool(self._waiting) or len(self._threads) < _MOST_THREADS

    def start(self) -> None:
        """Begin to read. Raises NoThread; a reader that has begun ends then with what it reads from."""
        # Not the watcher first: without a reader nothing would end it.
        for target in (lambda: self._live(self._reading), self._watch):
            self._start(target)

    def _start(self, target: Callable[[], None]) -> None:
        self._threads.append(started(target, "katafs-fuse"))

    def _buffer(self) -> memoryview:
        try:
            return self._spare.pop()
        except IndexError:
            return memoryview(bytearray(self._buffer_bytes))

    def lend_buffer(self, reader: Reader) -> Callable[[], None]:
        """Give the reader another buffer. What it has read stays good until what is returned here is called."""
        lent, reader.buffer = reader.buffer, self._buffer()
        return lambda: self._spare.append(lent)

    def _live(self, reader: Reader) -> None:
        try:
            self._run(reader)
        except BaseException:  # without memory anything may fail, and who waits for the mount would wait for ever
            self._end()
            raise

    def _run(self, reader: Reader) -> None:
        while True:
            while self._reading is reader:
                if not self._read(reader):
                    self._end()
                    return
            with self._lock:
                if self._over:
                    return
                if self._reading is reader:  # it was taken back just now
                    continue
                self._waiting.append(reader)
            reader.turn.acquire()
            if self._over:
                return

    def stir(self) -> None:
        """Wake the watcher. Twice is once too often, and no harm."""
        self.watcher_asleep = False
        self._stirred.release()

    def _watch(self) -> None:
        try:
            while not self._over:
                with contextlib.suppress(MemoryError):  # it comes back, and without this thread all would hang
                    self._watch_readers()
        finally:
            self._note(0)

    def _watch_readers(self) -> None:
        calm, seen = 0, (self._reading, -1)
        while not self._over:
            self._stirred.acquire(timeout=_MOMENT_S)
            self._note(sum(reader.taken for reader in self._all))
            reader = self._reading
            now = (reader, reader.taken)
            if now != seen:
                calm, seen = 0, now
            elif reader.answering:
                self._hand_over()
            elif calm < _CALM_MOMENTS:
                calm += 1
            else:
                self._sleep(now)

    def _sleep(self, seen: tuple[Reader, int]) -> None:
        self.watcher_asleep = True
        # Looked at after that was said, so that a request which came meanwhile isn't missed.
        reader = self._reading
        if (reader, reader.taken) == seen and not reader.answering and not self._over:
            self._stirred.acquire()
        self.watcher_asleep = False

    def _hand_over(self) -> None:
        with self._lock:
            if self._over or not self.can_hand_over():
                return
            if self._waiting:
                self._reading = self._waiting.pop()
                self._reading.turn.release()
                return
            before = self._reading
            reader = Reader(self._buffer())
            self._all.append(reader)
            self._reading = reader  # last: where there is no memory for that it stays as it was
        try:
            self._start(lambda: self._live(reader))
        except (NoThread, MemoryError):  # the one before reads when it can
            self._take_back(reader, before)

    def _take_back(self, reader: Reader, before: Reader) -> None:
        with self._lock:
            self._all.remove(reader)
            self._reading = before
            if before in self._waiting:
                self._waiting.remove(before)
                before.turn.release()

    def _end(self) -> None:
        with self._lock:
            if self._over:
                return
            self._over = True
            for reader in self._waiting:
                reader.turn.release()
        self._stirred.release()
        self._when_ended()

    def join(self, seconds: float) -> bool:
        """Wait for all of them, so long at most; whether they have all come to their end."""
        return joined(self._threads, seconds)
