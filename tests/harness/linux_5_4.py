"""katafs on Linux 5.4: the real command, to which seccomp(2) refuses the calls that came later, and which agrees on no
more than that kernel's FUSE can do.

Run as a program it goes on as `katafs`. What else such a kernel does otherwise it doesn't show.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from katafs.cli.main import katafs
from katafs.fuse import connection, negotiation, wire

PROGRAM = (sys.executable, __file__)

_FIRST_LATER_CALL = 436
"""close_range(2), of Linux 5.9. openat2(2), of 5.6, is the next; from 424 on the numbers are the same everywhere."""
_UTIMENSAT = {"x86_64": 280, "aarch64": 88}
_AT_EMPTY_PATH = 0x1000
_FLAGS_OF_INIT = (1 << 26) - 1
"""The last is FUSE_EXPLICIT_INVAL_DATA."""

_LOAD, _AT_LEAST, _EQUAL, _ANY_OF, _ANSWER = 0x20, 0x35, 0x15, 0x45, 0x06
"""What an instruction of BPF does (linux/filter.h)."""
_NUMBER, _FOURTH_ARGUMENT = 0, 40
"""Where seccomp_data has them; of an argument its lower half."""
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2


def _filter() -> bytes:
    instructions = (
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 4, 0, _FIRST_LATER_CALL),
        (_EQUAL, 0, 2, _UTIMENSAT[platform.machine()]),
        (_LOAD, 0, 0, _FOURTH_ARGUMENT),
        (_ANY_OF, 2, 0, _AT_EMPTY_PATH),
        (_ANSWER, 0, 0, _ALLOW),
        (_ANSWER, 0, 0, _REFUSE | errno.ENOSYS),
        (_ANSWER, 0, 0, _REFUSE | errno.EINVAL),
    )
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


def lose_later_calls() -> None:
    """Refuse this process and its children, from now on and for good, the calls that Linux 5.4 hasn't. Who isn't root
    loses set-user-ID programs, too: seccomp(2) wants that."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0:
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    instructions = ctypes.create_string_buffer(content := _filter(), len(content))
    program = ctypes.create_string_buffer(struct.pack("=H6xQ", len(content) // 8, ctypes.addressof(instructions)))
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_SECCOMP")


def lose_later_requests() -> None:
    """Agree on FUSE 7.31 from now on; a kernel that has it forgets a name where a newer one only looks it up anew."""
    wire.NEWEST_MINOR = wire.OLDEST_MINOR
    wire.EXPIRE_ONLY = 0
    negotiation._WANTED &= _FLAGS_OF_INIT  # noqa: SLF001
    connection._OPTIONAL = 0  # noqa: SLF001


if __name__ == "__main__":
    lose_later_calls()
    lose_later_requests()
    katafs()
