"""A mount's connection to the kernel: each request is read, answered and, whatever happens in it, replied to."""

import contextlib
import errno
import logging
import time
from collections.abc import Callable

from katafs.fuse import negotiation, wire
from katafs.fuse.answering import Answering
from katafs.fuse.device import REQUEST_BYTES, Device, GivenUp
from katafs.fuse.dispatcher import Dispatcher
from katafs.fuse.handed_out import TakingBack
from katafs.fuse.methods import Methods
from katafs.fuse.negotiation import Agreement, ProtocolUnknown
from katafs.fuse.operations import Explain, Later, Operations
from katafs.fuse.passthrough import Passthrough
from katafs.fuse.processors import Processors
from katafs.fuse.put_off import UNHURRIED, PutOff
from katafs.fuse.readers import Reader, Readers
from katafs.fuse.requests import Carried, Method, Request
from katafs.fuse.tally import Tally

_log = logging.getLogger(__name__)

_HEADER_BYTES = wire.REQUEST_HEADER.size
_PAUSE_S = 0.1
"""After a reading that failed."""
_MOST_FAILURES = 50
"""So many readings in a row that fail are the end: what hasn't passed by then never will."""
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
        self._explain = _surely(explain)
        self._passthrough = Passthrough(descriptor)
        self._dispatcher = dispatcher = Dispatcher(operations, self._passthrough)
        self.methods = Methods(dispatcher.methods)
        """What serves its requests."""
        self._tally = Tally()
        taking_back = TakingBack(self.methods, dispatcher.forget, self._explain)
        self._answering = Answering(self.device, self._tally, self._explain, taking_back)
        self._closed = False
        self._unanswered: dict[int, Callable[[Request], None]] = {
            wire.FORGET: dispatcher.forget,
            wire.BATCH_FORGET: dispatcher.forget,
            wire.INTERRUPT: self.interrupt,
        }
        self._put_off = PutOff()
        """Whoever reads serves it when nothing else comes."""
        self._readers = Readers(self._serve_one, ended, REQUEST_BYTES, self.processors.note)

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
        at_work = [wire.REQUEST_HEADER.unpack_from(reader.buffer)[2] for reader, _ in self._readers.at_work()]
        for unique in filter(None, [*at_work, *self._answering.uniques()]):  # a new buffer has had no request yet
            self.device.refuse(unique, errno.ENOTCONN)
        buffer = memoryview(bytearray(REQUEST_BYTES))
        while self.device.is_telling():
            if self.device.read_late(buffer, _LOOK_S):
                _, opcode, unique, *_ = wire.REQUEST_HEADER.unpack_from(buffer)
                if opcode not in self._unanswered:
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
        later = self._answering.running()

        def is_left() -> bool:
            if any(reader.answering and reader.taken == taken for reader, taken in at_work):
                return True
            return not all(future.done() for future in later)

        return is_left

    def _serve_one(self, reader: Reader) -> bool:
        try:
            size = self.device.read(reader.buffer, patient=not self._put_off)
        except Exception as error:  # noqa: BLE001 a reader that died without a word would leave a mount that hangs
            self._explain("the reading of requests", error, None)
            self._refuse(reader.buffer, reader.served)  # what had been read by then, maybe
            size = self._after_failure(reader)
        buffer = reader.buffer
        try:
            if size:
                reader.taken += 1
            reader.answering = True
            if self._readers.watcher_asleep:
                self._readers.stir()
            if size:
                self._serve(reader, size)
            else:
                self._catch_up(reader)
        except Exception as error:  # noqa: BLE001 a bug in one request must not take the others' mount away
            self._explain("request", error, None)
            if size and reader.buffer is buffer:  # else it was lent, to what replies itself
                self._refuse(buffer)
        finally:
            reader.answering = False
        return size != 0

    @staticmethod
    def _after_failure(reader: Reader) -> int | None:
        """What a reading that failed comes to: nothing for now, since memory, this process's or the kernel's, comes
        back, and with the mount all would be lost that programs have open; or the end, where none succeeds."""
        if reader.failed_after != reader.taken:
            reader.failed_after, reader.failures = reader.taken, 0
        reader.failures += 1
        time.sleep(_PAUSE_S)
        return None if reader.failures < _MOST_FAILURES else 0

    def _refuse(self, buffer: memoryview, served: int = 0) -> None:
        """Reply to the request in a buffer that there was no memory to take apart, if there is one, and not only what
        was `served` already. To one that has its reply this is none: the kernel doesn't know its number any more."""
        for _ in range(_MOST_FAILURES):
            try:
                _, opcode, unique, *_ = wire.REQUEST_HEADER.unpack_from(buffer)
                waits = unique not in (0, served) and opcode not in self._unanswered
                if waits and unique not in self._answering.uniques():
                    self.device.refuse(unique, errno.EIO)
            except MemoryError:
                time.sleep(_PAUSE_S)
            except OSError as problem:
                self._explain("request", problem, None)
                return
            else:
                return

    def _serve(self, reader: Reader, size: int) -> None:
        if size < _HEADER_BYTES:
            _log.error("a request of %d bytes is none", size)
            return
        length, opcode, unique, node, uid, gid, pid, _ = wire.REQUEST_HEADER.unpack_from(reader.buffer)
        reader.served = unique
        if length != size:
            _log.error("a request of %d bytes says that it has %d", size, length)
            self.device.refuse(unique, errno.EIO)
            return
        request = Request(opcode, unique, node, uid, gid, pid, reader.buffer[_HEADER_BYTES:size])
        put_off = self._put_off
        if opcode in UNHURRIED and self.device.has_time() and self._readers.can_hand_over():
            if put_off:
                self._catch_up(reader)
            put_off.put(request)
            if not self._readers.reads(reader):  # who reads now may have seen nothing put off, and sleep
                self._catch_up(reader)
        elif not put_off:
            self._answer(reader, request)
        elif put_off.let_pass(request):
            self._answer(reader, request)
            if not put_off.may_pass:
                self._catch_up(reader)
        else:
            self._catch_up(reader)
            self._answer(reader, request)

    def _catch_up(self, reader: Reader) -> None:
        put_off = self._put_off
        while put_off:
            try:
                request = put_off.popleft()
            except IndexError:  # another thread has taken it
                return
            try:
                self._answer(reader, request)
            except Exception as error:  # noqa: BLE001 as above: what has come since is served all the same
                self._explain("request", error, request.node)

    def _answer(self, reader: Reader, request: Request) -> None:
        opcode = request.opcode
        method = self.methods.serving.get(opcode)
        if method is None:
            self._serve_other(request)
            return
        self._tally.asked[opcode] += 1
        try:
            answer = method(request)
        except Exception as error:  # noqa: BLE001 as above
            if self._put_off and isinstance(error, OSError) and error.errno == errno.EMFILE:
                # Nothing has been done without a descriptor, and a close that it has passed gives one back.
                self._tally.asked[opcode] -= 1
                self._catch_up(reader)
                self._answer(reader, request)
                return
            self._answering.refuse(request, method, error)
            return
        if isinstance(answer, Later):
            self._answer_later(reader, request, method, answer)
        else:
            self._answering.reply(request, method, answer)

    def _answer_later(self, reader: Reader, request: Request, method: Method, answer: Later[Carried]) -> None:
        try:
            # Of all arguments only a write's content is still where it was read to.
            lent = self._readers.lend_buffer(reader) if request.opcode == wire.WRITE else None
        except MemoryError as error:
            self._answering.refuse(request, method, error)
        else:
            self._answering.submit(request, method, answer, lent)

    # What isn't passed on, or has no reply

    def _serve_other(self, request: Request) -> None:
        if request.opcode in self._unanswered:
            try:
                self._unanswered[request.opcode](request)
            except Exception as error:  # noqa: BLE001 as above
                self._explain(self._unanswered[request.opcode].__name__, error, request.node)
        elif request.opcode == wire.INIT:
            self._init(request)
        elif request.opcode == wire.DESTROY:
            self._reply(request.unique, b"")
        else:
            # Linux 5.10 would give an ioctl's ENOSYS to the program.
            self.device.refuse(request.unique, errno.ENOTTY if request.opcode == wire.IOCTL else errno.ENOSYS)

    def interrupt(self, request: Request) -> None:
        """The program doesn't want to wait any longer."""
        (unique,) = wire.INTERRUPT_IN.unpack_from(request.body)
        self._answering.interrupt(unique)

    def _init(self, request: Request) -> None:
        try:
            payload, self.agreement = negotiation.agree(bytes(request.body))
        except ProtocolUnknown as problem:
            self.fault = problem
            self.device.refuse(request.unique, errno.EPROTO)
            self.device.call_away()  # from now on the kernel itself refuses whatever is asked of the mount
        else:
            if self.agreement is not None and self.agreement.has(wire.PASSTHROUGH):
                self._passthrough.permit()
            if self.agreement is not None and self.agreement.has(wire.DIRECT_IO_ALLOW_MMAP):
                self._dispatcher.may_bypass = True
            self._reply(request.unique, payload)

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
