"""What a reply hands to the kernel: an inode that is looked up, a handle; and how it is taken back from a lost one."""

from collections.abc import Callable, Iterator
from functools import partial

from katafs.fuse import wire
from katafs.fuse.methods import Methods
from katafs.fuse.operations import Explain, Later
from katafs.fuse.requests import Carried, Method, Request
from katafs.threads import insisting

_NAMING = frozenset((wire.LOOKUP, wire.SYMLINK, wire.MKNOD, wire.MKDIR, wire.LINK, wire.CREATE))
"""Of what replies to these carry an entry comes first."""


class TakingBack:
    """Serves the requests by which the kernel would give back what it never had."""

    def __init__(self, methods: Methods, forget: Callable[[Request], None], explain: Explain) -> None:
        """`forget` serves FORGETs, the methods all others."""
        self._methods = methods
        self._forget = forget
        self._explain = explain

    def lost(self, request: Request, method: Method, content: bytes) -> None:
        """The kernel didn't take the reply to a request of this method, and gives back only what it has: a handle that
        it doesn't know would stay open for ever."""
        for giving in _given_back(request, content):
            try:
                self._give(giving)
            except Exception as error:  # noqa: BLE001 the rest is given back all the same
                self._explain(f"the taking back of {method.__name__}", error, giving.node)

    def _give(self, giving: Request) -> None:
        if giving.opcode == wire.FORGET:
            self._forget(giving)
            return
        method = self._methods.serving[giving.opcode]
        answer = insisting(partial(method, giving))
        if isinstance(answer, Later):
            try:
                answer.pool.submit(self._finish, method, giving.node, answer.call)
            except (RuntimeError, MemoryError):  # no thread can be had: rather wait than keep a file open for ever
                self._finish(method, giving.node, answer.call)

    def _finish(self, method: Method, node: int, call: Callable[[], Carried]) -> None:
        try:
            insisting(call)
        except Exception as error:  # noqa: BLE001 nobody else would tell of it
            self._explain(method.__name__, error, node)


def _given_back(request: Request, content: bytes) -> Iterator[Request]:
    """The requests by which the kernel would give back what a reply to this one carries, if it had that. READDIRPLUS
    isn't looked at: most of what a listing tells of is counted when its reply is given, and so isn't where it can't be.
    """
    node = wire.ENTRY_OUT.unpack_from(content)[0] if request.opcode in _NAMING else request.node
    if request.opcode in (wire.OPEN, wire.CREATE):
        yield _made(wire.RELEASE, node, wire.RELEASE_IN.pack(_handle(request, content), 0, 0, 0))
    elif request.opcode == wire.OPENDIR:
        yield _made(wire.RELEASEDIR, node, wire.RELEASE_IN.pack(_handle(request, content), 0, 0, 0))
    if request.opcode in _NAMING and node:  # 0 is a name that isn't there
        yield _made(wire.FORGET, node, wire.FORGET_IN.pack(1))


def _handle(request: Request, content: bytes) -> int:
    handle: int = wire.OPEN_OUT.unpack_from(content, wire.ENTRY_OUT.size if request.opcode in _NAMING else 0)[0]
    return handle


def _made(opcode: int, node: int, body: bytes) -> Request:
    return Request(opcode, 0, node, 0, 0, 0, memoryview(body))
