"""The descriptor of a connection: requests are read from it, replies and notifications are written to it."""

import errno
import os
import select
import threading
import time
from collections.abc import Iterable

from katafs.fuse import wire
from katafs.fuse.negotiation import MOST_BYTES

REQUEST_BYTES = MOST_BYTES + 4096
"""The largest request there is: a write, with what comes before its content."""

_header, _HEADER_BYTES = wire.REPLY_HEADER.pack, wire.REPLY_HEADER.size
_ENDED = frozenset((errno.ENODEV, errno.ECONNABORTED, errno.EBADF))
_PASSED = _ENDED | {errno.ENOENT, errno.ENOTDIR}
_ERRNO_END = 512
"""Numbers from here on are the kernel's own (linux/errno.h), of which some file systems let out ENOTSUPP, 524. It takes
no reply that has one, and who waits for that would wait for ever."""
_SMALL_BYTES = 8192
"""Up to here it is quicker to copy a reply behind its header than to write the two from where they are."""
_MOST_REFUSALS = 100
_REFUSAL_PAUSE_S = 0.1
_MOST_NS = 200_000
"""A program that does a little with each reply is back by then, also where it has to be woken up."""
_IN_PASSING_NS = 20_000
_LEAST_NS = 8_000
"""More than twice as long as it took the last time."""
_BUSY = 32
"""After so many requests in a row that were waiting already, none is expected to be waited for."""
_PROBE = 16
_RAREST_PROBE = 1024
"""After so many times of too little patience it is seen whether more is worth it by now: more rarely each time that it
isn't."""


class GivenUp(OSError):
    """The kernel doesn't wait for a reply: it has one, or an end of the waiting."""


class Device:
    """Owns the descriptor, and an event that calls whoever waits on it away."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        os.set_blocking(descriptor, False)
        self._called_away = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._patience_ns = _MOST_NS
        self._probe_in = self._probe_each = _PROBE
        self._away = False
        self._telling: set[int] = set()
        """Who is in a notification. To add or take away one is one step."""
        self._since_awaited = 0
        """How many requests there were since one came while it was asked for again: they were there already, or came so
        late that it slept."""

    def has_time(self) -> bool:
        """Whether requests come while it asks for them, and don't wait for it already."""
        return self._since_awaited < _BUSY

    def read(self, buffer: memoryview, *, patient: bool = True) -> int | None:
        """The size of the next request, which is in the buffer then. 0 at the connection's end, or when called away.
        None where none comes within a moment, for who isn't `patient`.

        On an idle machine the next request comes a moment after the last reply, and to be put to sleep and woken takes
        longer than that. So it is asked for again and again first: for as long as was of use lately, since on a busy
        machine the program that would make it only waits for this CPU."""
        while not self._away:
            since_ns = 0
            while True:
                try:
                    size = os.readv(self.descriptor, (buffer,))
                except BlockingIOError:
                    now_ns = time.monotonic_ns()
                    since_ns = since_ns or now_ns
                    if now_ns - since_ns >= (self._patience_ns if patient else min(self._patience_ns, _IN_PASSING_NS)):
                        break
                except OSError as problem:
                    if problem.errno in _ENDED:
                        return 0
                    if problem.errno != errno.ENOENT:  # it was taken back before it was read
                        raise
                else:
                    self._came(time.monotonic_ns() - since_ns if since_ns else 0, patient=patient)
                    return size
            if not patient:
                return None
            self._sleep()
        return 0

    def _came(self, awaited_ns: int, *, patient: bool) -> None:
        """Take note of how long the request was asked for that came; 0 for one that was there already. If longer than
        anybody is patient, this was kept from the processor meanwhile, which says nothing."""
        self._since_awaited = 0 if awaited_ns else self._since_awaited + 1
        if patient and 0 < awaited_ns < _MOST_NS:
            self._patience_ns, self._probe_each = min(2 * awaited_ns + _LEAST_NS, _MOST_NS), _PROBE

    def _sleep(self) -> None:
        """Wait until there is something to read, or this was called away."""
        self._patience_ns //= 2
        self._probe_in -= 1
        if self._probe_in <= 0:
            self._patience_ns, self._probe_each = _MOST_NS, min(2 * self._probe_each, _RAREST_PROBE)
            self._probe_in = self._probe_each
        # Of its own, since no two threads may wait on one, and for a moment two readers may be here.
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        poll.register(self._called_away, select.POLLIN)
        poll.poll()

    def read_late(self, buffer: memoryview, seconds: float) -> bool:
        """Read the next request although this was called away; whether one came within so long."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return False
        try:
            return os.readv(self.descriptor, (buffer,)) > 0
        except BlockingIOError:
            return False
        except OSError as problem:
            if problem.errno not in _PASSED:
                raise
            time.sleep(seconds)  # the connection has ended, and so will whoever is in it
            return False

    def is_gone(self) -> bool:
        """Whether the kernel has ended the connection."""
        poll = select.poll()
        poll.register(self.descriptor, 0)
        return bool(poll.poll(0))

    def call_away(self) -> None:
        """Make every `read` return 0, now and from now on, also where requests go on coming."""
        self._away = True
        os.eventfd_write(self._called_away, 1)

    def reply(self, unique: int, payload: bytes) -> None:
        """Answer a request. Raises OSError for a reply that the kernel doesn't take, GivenUp where it doesn't wait for
        it any more: fuse_lowlevel.h of libfuse says so of requests that were interrupted."""
        header = _header(_HEADER_BYTES + len(payload), 0, unique)
        try:
            if len(payload) <= _SMALL_BYTES:
                os.write(self.descriptor, header + payload)
            else:
                os.writev(self.descriptor, (header, payload))
        except FileNotFoundError as problem:
            raise GivenUp(*problem.args) from None
        except OSError as problem:
            _pass_over(problem)

    def refuse(self, unique: int, number: int) -> None:
        """Answer a request with an errno; EIO in the place of a number that the kernel doesn't take. Where there is no
        memory for that it is tried again for a while: who has no reply at all waits for ever, also for its own end."""
        if not 0 < number < _ERRNO_END:
            number = errno.EIO
        for _ in range(_MOST_REFUSALS):
            try:
                os.write(self.descriptor, _header(_HEADER_BYTES, -number, unique))
            except MemoryError:
                pass
            except OSError as problem:
                if problem.errno != errno.ENOMEM:
                    _pass_over(problem)
                    return
            else:
                return
            time.sleep(_REFUSAL_PAUSE_S)

    # Not to be called within a request, or with a lock held that a request waits for: the kernel may wait for its end.

    def invalidate_inode(self, number: int) -> None:
        """Make the kernel drop an inode's attributes, and all pages that it keeps of it."""
        self._notify(wire.NOTIFY_INVAL_INODE, wire.INVAL_INODE_OUT.pack(number, 0, 0))

    def expire_entry(self, parent: int, name: bytes) -> None:
        """Make the kernel look a name up anew. Before Linux 6.2 it forgets it, and what is mounted below: a shell that
        works there doesn't know its own path until somebody names it again."""
        self._notify_entry(parent, name, wire.EXPIRE_ONLY)

    def invalidate_entry(self, parent: int, name: bytes) -> None:
        """Make the kernel forget a name, and the inode if nobody uses it. Of a directory everything below goes too."""
        self._notify_entry(parent, name, 0)

    def _notify_entry(self, parent: int, name: bytes, flags: int) -> None:
        entry = wire.INVAL_ENTRY_OUT.pack(parent, len(name), flags)
        self._notify(wire.NOTIFY_INVAL_ENTRY, entry + name + b"\0")

    def prune(self, numbers: Iterable[int]) -> None:
        """Make the kernel let go of the inodes that nobody uses: FORGETs follow. Only where `prunes` was agreed on."""
        nodes = [wire.PRUNE_ONE.pack(number) for number in numbers]
        self._notify(wire.NOTIFY_PRUNE, wire.PRUNE_OUT.pack(len(nodes)) + b"".join(nodes))

    def _notify(self, code: int, payload: bytes) -> None:
        header = _header(_HEADER_BYTES + len(payload), code, 0)
        self._telling.add(threading.get_ident())
        try:
            os.write(self.descriptor, header + payload)
        except OSError as problem:
            _pass_over(problem)
        finally:
            self._telling.discard(threading.get_ident())

    def is_telling(self) -> bool:
        """Whether a thread is in a notification: the kernel may have it wait for a lock of a program's there."""
        return bool(self._telling)

    def abandon(self) -> None:
        """The same as `close` while threads are still at requests: who waits for a reply has an error, and what is
        replied goes nowhere. A thread that waits for a disk may keep the process, and so the descriptor, for ever."""
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(nowhere, self.descriptor, inheritable=False)
        os.close(nowhere)

    def close(self) -> None:
        """The end of the connection, if it hasn't come yet."""
        os.close(self.descriptor)
        os.close(self._called_away)


def _pass_over(problem: OSError) -> None:
    """What is written may come too late: the request was given up, the inode forgotten, the mount taken away."""
    if problem.errno not in _PASSED:
        raise problem
