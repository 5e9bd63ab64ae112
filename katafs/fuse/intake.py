"""Requests as they come: each is read, served in its turn and, whatever happens in it, replied to."""

import errno
import logging
import time
from collections.abc import Callable, Mapping

from katafs.fuse import wire
from katafs.fuse.answering import Answering
from katafs.fuse.device import REQUEST_BYTES, Device
from katafs.fuse.methods import Methods
from katafs.fuse.operations import Explain, Later
from katafs.fuse.put_off import UNHURRIED, PutOff
from katafs.fuse.readers import Reader, Readers
from katafs.fuse.requests import Carried, Method, Own, Request, awaited
from katafs.fuse.tally import Tally

_log = logging.getLogger(__name__)

_HEADER_BYTES = wire.REQUEST_HEADER.size
_PAUSE_S = 0.1
"""After a reading that failed."""
_MOST_FAILURES = 50
"""So many readings in a row that fail are the end: what hasn't passed by then never will."""


class Intake:
    """Has each request of one connection served, in threads of its own, until there are no more."""

    def __init__(
        self,
        device: Device,
        methods: Methods,
        own: Mapping[int, Own],
        tally: Tally,
        answering: Answering,
        explain: Explain,
        ended: Callable[[], None],
        note: Callable[[int], None],
    ) -> None:
        """`own` serves what isn't passed on to the file system's methods. `ended` and `note` are as the readers', and
        requests are counted in the tally."""
        self._device = device
        self._methods = methods
        self._own = own
        self._tally = tally
        self._answering = answering
        self._explain = explain
        self._put_off = PutOff()
        """Whoever reads serves it when nothing else comes."""
        self.readers = Readers(self._take, ended, REQUEST_BYTES, note)
        """The threads, which begin when they are started."""

    def _take(self, reader: Reader) -> bool:
        try:
            size = self._device.read(reader.buffer, patient=not self._put_off)
        except Exception as error:  # noqa: BLE001 a reader that died without a word would leave a mount that hangs
            self._explain("the reading of requests", error, None)
            self._refuse(reader.buffer, reader.served)  # what had been read by then, maybe
            size = self._after_failure(reader)
        buffer = reader.buffer
        try:
            if size:
                reader.taken += 1
            reader.answering = True
            if self.readers.watcher_asleep:
                self.readers.stir()
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
                unique = awaited(buffer)
                if unique not in (0, served, *self._answering.uniques()):
                    self._device.refuse(unique, errno.EIO)
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
            self._device.refuse(unique, errno.EIO)
            return
        request = Request(opcode, unique, node, uid, gid, pid, reader.buffer[_HEADER_BYTES:size])
        put_off = self._put_off
        if opcode in UNHURRIED and self._device.has_time() and self.readers.can_hand_over():
            if put_off:
                self._catch_up(reader)
            if not put_off.put(request):
                self._answer(reader, request)
            elif not self.readers.reads(reader):  # who reads now may have seen nothing put off, and sleep
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
        method = self._methods.serving.get(opcode)
        if method is None:
            self._serve_own(request)
            return
        self._tally.asked[opcode] += 1
        while True:
            try:
                answer = method(request)
            except Exception as error:  # noqa: BLE001 as above
                if self._made_way(reader, request, error):
                    continue
                self._answering.refuse(request, method, error)
                return
            break
        if isinstance(answer, Later):
            self._answer_later(reader, request, method, answer)
        else:
            self._answering.reply(request, method, answer)

    def _made_way(self, reader: Reader, request: Request, error: Exception) -> bool:
        """Do what may clear the request's way of what failed; whether to try it again."""
        if self._put_off and isinstance(error, OSError) and error.errno == errno.EMFILE:
            # Nothing has been done without a descriptor, and a close that it has passed gives one back.
            self._catch_up(reader)
            return True
        if request.opcode in UNHURRIED and isinstance(error, MemoryError):
            # What has been done already is EBADF then, of which nobody hears.
            time.sleep(_PAUSE_S)
            return True
        return False

    def _answer_later(self, reader: Reader, request: Request, method: Method, answer: Later[Carried]) -> None:
        try:
            # Of all arguments only a write's content is still where it was read to.
            lent = self.readers.lend_buffer(reader) if request.opcode == wire.WRITE else None
        except MemoryError as error:
            self._answering.refuse(request, method, error)
        else:
            self._answering.submit(request, method, answer, lent)

    def _serve_own(self, request: Request) -> None:
        serve = self._own.get(request.opcode)
        if serve is None:
            # Linux 5.10 would give an ioctl's ENOSYS to the program.
            self._device.refuse(request.unique, errno.ENOTTY if request.opcode == wire.IOCTL else errno.ENOSYS)
            return
        try:
            serve(request)
        except Exception as error:
            if request.opcode not in wire.UNANSWERED:
                raise
            self._explain(serve.__name__, error, request.node)
