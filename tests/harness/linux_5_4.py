"""katafs on Linux 5.4: the real command, to which seccomp(2) refuses the calls that came later, and which agrees on no
more than that kernel's FUSE can do.

Run as a program it goes on as `katafs`. What else such a kernel does otherwise it doesn't show.
"""

import errno
import platform
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from katafs.cli.main import katafs
from katafs.fuse import negotiation, wire
from tests.harness.call_filter import (
    ALLOW,
    ANSWER,
    ANY_OF,
    AT_LEAST,
    EQUAL,
    FOURTH_ARGUMENT,
    LOAD,
    NUMBER,
    REFUSE,
    filter_calls,
)

PROGRAM = (sys.executable, __file__)

_FIRST_LATER_CALL = 436
"""close_range(2), of Linux 5.9. openat2(2), of 5.6, is the next; from 424 on the numbers are the same everywhere."""
_UTIMENSAT = {"x86_64": 280, "aarch64": 88}
_AT_EMPTY_PATH = 0x1000
_FLAGS_OF_INIT = (1 << 26) - 1
"""The last is FUSE_EXPLICIT_INVAL_DATA."""


def lose_later_calls() -> None:
    """Refuse this process and its children the calls that Linux 5.4 hasn't."""
    filter_calls(
        [
            (LOAD, 0, 0, NUMBER),
            (AT_LEAST, 4, 0, _FIRST_LATER_CALL),
            (EQUAL, 0, 2, _UTIMENSAT[platform.machine()]),
            (LOAD, 0, 0, FOURTH_ARGUMENT),
            (ANY_OF, 2, 0, _AT_EMPTY_PATH),
            (ANSWER, 0, 0, ALLOW),
            (ANSWER, 0, 0, REFUSE | errno.ENOSYS),
            (ANSWER, 0, 0, REFUSE | errno.EINVAL),
        ]
    )


def lose_later_requests() -> None:
    """Agree on FUSE 7.31 from now on; a kernel that has it forgets a name where a newer one only looks it up anew."""
    wire.NEWEST_MINOR = wire.OLDEST_MINOR
    wire.EXPIRE_ONLY = 0
    negotiation._WANTED &= _FLAGS_OF_INIT  # noqa: SLF001


if __name__ == "__main__":
    lose_later_calls()
    lose_later_requests()
    katafs()
