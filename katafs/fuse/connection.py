"""A mount's connection to the kernel: what serves it put together, what was agreed on with INIT, and the end."""

import contextlib
import errno
from collections.abc import Callable

from katafs.fuse import negotiation, wire
from katafs.fuse.answering import Answering
from katafs.fuse.device import REQUEST_BYTES, Device, GivenUp
from katafs.fuse.dispatcher import Dispatcher
from katafs.fuse.handed_out import TakingBack
from katafs.fuse.intake import Intake
from katafs.fuse.methods import Methods
from katafs.fuse.negotiation import Agreement, ProtocolUnknown
from katafs.fuse.operations import Explain, Operations
from katafs.fuse.passthrough import Passthrough
from katafs.fuse.processors import Processors
from katafs.fuse.requests import Own, Request, awaited
from katafs.fuse.tally import Tally

_LOOK_S = 0.05
"""How often it is looked whether a notification has ended."""


class Connection:
    """Serves one mount in threads of its own until it is unmounted or closed."""

    def __init__(
        self,
        descriptor: int,
        operations: Operations,
        explain: Explain,
        ended: Callable[[], None] = lambda: None,
        processors: Processors | None = None,
    ) -> None:
        """Owns the descriptor and the processors from now on. `ended` is called in one of the threads when nothing
        more is to come."""
        self.device = Device(descriptor)
        self.processors = processors or Processors()
        self.agreement: Agreement | None = None
        """What INIT agreed on; nothing but INIT comes before."""
        self.fault: ProtocolUnknown | None = None
        """Why INIT didn't agree on anything, and no more comes."""
        self._passthrough = Passthrough(descriptor)
        self._dispatcher = dispatcher = Dispatcher(operations, self._passthrough)
        self.methods = Methods(dispatcher.methods)
        """What serves its requests."""
        self._tally = tally = Tally()
        sure = _surely(explain)
        taking_back = TakingBack(self.methods, dispatcher.forget, sure)
        self._answering = answering = Answering(self.device, tally, sure, taking_back)
        own: dict[int, Own] = {
            wire.FORGET: dispatcher.forget,
            wire.BATCH_FORGET: dispatcher.forget,
            wire.INTERRUPT: answering.interrupt,
            wire.INIT: self._init,
            wire.DESTROY: self._destroy,
        }
        note = self.processors.note
        intake = Intake(self.device, self.methods, own, tally, answering, sure, ended, note)
        self._readers = intake.readers
        self._closed = False

    def start(self) -> None:
        """Begin to answer."""
        self._readers.start()

    def close(self, seconds: float) -> bool:
        """End the connection, and with it the mount, if it has one still. Requests that are being answered get up to so
        many seconds; whether they needed no more."""
        self.device.call_away()
        done = self._readers.join(seconds)
        # A thread that is still at a request, or in a notification, must not find its number to be another file.
        if self._answering.close() and done and not self.device.is_telling():
            self.device.close()
            self.processors.close()
            self._closed = True
        return done

    def refuse_rest(self) -> None:
        """After `close`, while a thread is in a notification still: refuse what has no reply yet, and what comes. The
        kernel may wait there for a lock of somebody who waits for a reply; and for as long as it does, neither the
        descriptor's close nor the end of this process ends the connection."""
        if not self.device.is_telling():
            return
        at_work = [awaited(reader.buffer) for reader, _ in self._readers.at_work()]
        for unique in filter(None, [*at_work, *self._answering.uniques()]):
            self.device.refuse(unique, errno.ENOTCONN)
        buffer = memoryview(bytearray(REQUEST_BYTES))
        while self.device.is_telling():
            if self.device.read_late(buffer, _LOOK_S) and (unique := awaited(buffer)):
                self.device.refuse(unique, errno.ENOTCONN)

    def abandon(self) -> None:
        """After `close`, and when nobody waits any more for what pools are at: who waits for a reply has an error."""
        if not self._closed:
            self.device.abandon()

    def dispatcher_of(self, operations: Operations) -> Dispatcher:
        """What serves requests by other operations than the connection's, for `Methods.route`."""
        dispatcher = Dispatcher(operations, self._passthrough)
        dispatcher.may_bypass = self._dispatcher.may_bypass
        return dispatcher

    def operations(self) -> dict[str, int]:
        """How often each operation was asked for, by its name."""
        return self._tally.operations(self.methods.names())

    def errors(self) -> dict[str, dict[str, int]]:
        """How often each operation was answered with each error, by their names."""
        return self._tally.errors()

    def under_way(self) -> Callable[[], bool]:
        """Take note of all that is being answered now. What this gives says whether some of that has no reply yet."""
        at_work = self._readers.at_work()
        # A pool may have begun already what a reader is giving it just now, and isn't known to have it yet. So here and
        # below readers are looked at before pools: what is with neither has its reply, or was begun later.
        begun = {reader.served for reader, _ in at_work}
        begun.update(self._answering.running())

        def is_left() -> bool:
            if any(reader.answering and reader.taken == taken for reader, taken in at_work):
                return True
            return not begun.isdisjoint(self._answering.uniques())

        return is_left

    def _init(self, request: Request) -> None:
        try:
            self._agree(request)
        except ProtocolUnknown as problem:
            self.fault = problem
            self.device.refuse(request.unique, errno.EPROTO)
            self.device.call_away()  # from now on the kernel itself refuses whatever is asked of the mount
        except Exception:
            self.device.call_away()  # as above: it asks for INIT once
            raise

    def _agree(self, request: Request) -> None:
        payload, self.agreement = negotiation.agree(bytes(request.body))
        if self.agreement is not None and self.agreement.has(wire.PASSTHROUGH):
            self._passthrough.permit()
        if self.agreement is not None and self.agreement.has(wire.DIRECT_IO_ALLOW_MMAP):
            self._dispatcher.may_bypass = True
        self._reply(request.unique, payload)

    def _destroy(self, request: Request) -> None:
        self._reply(request.unique, b"")

    def _reply(self, unique: int, payload: bytes) -> None:
        with contextlib.suppress(GivenUp):  # the mount is being taken away
            self.device.reply(unique, payload)


def _surely(explain: Explain) -> Explain:
    """The same, whatever happens in it: a request whose error can't be told of must still be answered."""

    def explained(operation: str, error: Exception, node: int | None) -> int:
        try:
            return explain(operation, error, node)
        except Exception:  # noqa: BLE001 there is nobody left to tell
            return errno.EIO

    return explained
