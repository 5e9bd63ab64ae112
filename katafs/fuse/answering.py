"""What becomes of an operation's answer: a reply, a refusal, or a pool's work that has its reply later."""

import errno
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from katafs.fuse import wire
from katafs.fuse.device import Device, GivenUp
from katafs.fuse.handed_out import TakingBack
from katafs.fuse.operations import Explain, Later
from katafs.fuse.put_off import UNHURRIED
from katafs.fuse.requests import Around, Carried, Method, Request
from katafs.fuse.tally import Tally
from katafs.threads import insisting

_MOST_EARLY = 64
"""How many interrupts are remembered of requests that no pool has: a few are on their way to one, the rest are done."""


class Answering:
    """Gives the replies of one connection. Whatever happens in it, each request that is to have one has it."""

    def __init__(self, device: Device, tally: Tally, explain: Explain, taking_back: TakingBack) -> None:
        """Errors are counted in the tally."""
        self._device = device
        self._tally = tally
        self._explain = explain
        self._taking_back = taking_back
        self._later: dict[int, Future[None]] = {}
        """By their unique numbers the requests that a pool has. Guarded by its own atomicity: a look at an entry, and
        its setting and removing, are one step each."""
        self._early: deque[int] = deque(maxlen=_MOST_EARLY)
        """What was interrupted while no pool had it (yet)."""
        self._closing = False

    def reply(self, request: Request, method: Method, carried: Carried) -> None:
        """Give the reply."""
        unique = request.unique
        try:
            if isinstance(carried, bytes):
                self._device.reply(unique, carried)
            elif isinstance(carried, Around):
                with carried.giving:
                    self._device.reply(unique, carried.content)
            else:
                self._tally.failed(method.__name__, carried)
                self._device.refuse(unique, carried)
        except Exception as error:  # noqa: BLE001 a bug in one request must not take the others' mount away
            # What was done stays done; the kernel tells the program of an error if it took the header, else nothing.
            # After a reply that it has taken this one is passed over.
            if not isinstance(error, GivenUp):
                self._explain(f"the reply to {method.__name__}", error, request.node)
                self._device.refuse(unique, errno.EIO)
            if isinstance(carried, bytes):
                self._taking_back.lost(request, method, carried)

    def refuse(self, request: Request, method: Method, error: Exception) -> None:
        """Reply with the errno that an exception becomes."""
        number = self._explain(method.__name__, error, request.node)
        try:
            self._tally.failed(method.__name__, number)
        finally:  # whether there is memory to count it or not
            self._device.refuse(request.unique, number)

    def submit(self, request: Request, method: Method, answer: Later[Carried], lent: Callable[[], None] | None) -> None:
        """Have a pool make the answer, and reply then. `lent` is called when the request isn't needed any more."""
        unique = request.unique
        try:
            future = answer.pool.submit(self._finish, request, method, answer.call)
        except (RuntimeError, MemoryError):  # the pool is closed, or no thread can be had
            if request.opcode in UNHURRIED:  # rather wait than keep a file open for ever
                self._finish(request, method, answer.call)
                return
            text = "no thread can wait for it: there are too many, or no memory, or the mount is being taken away"
            self.refuse(request, method, OSError(errno.EIO, text))
            if lent is not None:
                lent()
            return
        self._later[unique] = future
        if unique in self._early:
            future.cancel()
        future.add_done_callback(lambda done: self._forget(unique, done, lent))

    def _finish(self, request: Request, method: Method, call: Callable[[], Carried]) -> None:
        try:
            carried = insisting(call) if request.opcode in UNHURRIED else call()
        except BaseException as error:  # noqa: BLE001 as above; a panic of a compiled module is no Exception
            self.refuse(request, method, error if isinstance(error, Exception) else RuntimeError(repr(error)))
        else:
            self.reply(request, method, carried)

    def _forget(self, unique: int, done: Future[None], lent: Callable[[], None] | None) -> None:
        self._later.pop(unique, None)
        if done.cancelled() and not self._closing:  # later the number may be another file's
            self._device.refuse(unique, errno.EINTR)
        if lent is not None:
            lent()

    def interrupt(self, request: Request) -> None:
        """The program doesn't want to wait for one any longer. What has been begun is finished all the same.

        The kernel says so once, maybe while another thread is about to give the request to a pool."""
        (unique,) = wire.INTERRUPT_IN.unpack_from(request.body)
        if unique not in self._later:
            self._early.append(unique)
        # Looked at after that, as a submission looks the other way round: one of the two sees it.
        future = self._later.get(unique)
        if future is not None:
            future.cancel()

    def uniques(self) -> list[int]:
        """The numbers of the requests that pools have."""
        return list(self._later)

    def running(self) -> list[int]:
        """The numbers of those that pools are at now. The rest of what they have has told nothing yet."""
        return [unique for unique, future in self._later.copy().items() if future.running()]

    def close(self) -> bool:
        """Begin nothing more that a pool has, and reply to nothing of that. Whether pools have nothing left."""
        self._closing = True
        for future in list(self._later.values()):
            Future.cancel(future)  # whatever a pool's own would wait for
        return not self._later
