"""Closes that let go first what programs wait for.

When a program has closed a file or directory the kernel asks for a RELEASE, and nobody waits for its reply. But the
same program's next request comes behind it, a few µs later.
"""

from collections import deque

from katafs.fuse import wire
from katafs.fuse.requests import Request

UNHURRIED = frozenset((wire.RELEASE, wire.RELEASEDIR))
"""The kinds that are put off. Of them the reply only frees what the kernel has of the request itself; but it asks once,
and what isn't served then stays open for ever: so they wait for memory, or a thread, where others are refused."""

_STEPS = frozenset((wire.LOOKUP, wire.GETATTR))
"""Steps of a path: the program is mostly still in its system call, and asks again at once."""
_LAST_STEPS = frozenset((wire.OPEN, wire.CREATE, wire.OPENDIR, wire.READDIRPLUS))
"""After these it has something to do itself, which is the time for what was put off."""
_PASSING = _STEPS | _LAST_STEPS
"""None of them minds whether another file is still open, as one that removes or renames might."""
_MOST_PASSING = 4


class PutOff(deque[Request]):
    """What is put off: one request, or none; for a moment more, where one thread begins to read after another. To add
    one or to take it is one step, so that each is served once."""

    def __init__(self) -> None:
        super().__init__()
        self.may_pass = 0
        """How many more requests may be served first."""

    def put(self, request: Request) -> bool:
        """Put the request off; whether there is memory for that. It is good until it is taken."""
        try:
            request.body = memoryview(bytes(request.body))
            self.may_pass = _MOST_PASSING
            self.append(request)
        except MemoryError:
            return False
        return True

    def let_pass(self, request: Request) -> bool:
        """Let the request go first, if it may. Those of one inode keep their order."""
        opcode = request.opcode
        try:
            if not self.may_pass or opcode not in _PASSING or request.node == self[0].node or len(self) > 1:
                return False
        except IndexError:  # another thread has taken it
            return True
        self.may_pass = 0 if opcode in _LAST_STEPS else self.may_pass - 1
        return True
