"""Filters of system calls (seccomp(2)), as a service has them by SystemCallFilter= and SystemCallErrorNumber=."""

import ctypes
import os
import platform
import struct
from collections.abc import Sequence

LOAD, AT_LEAST, EQUAL, ANY_OF, ANSWER = 0x20, 0x35, 0x15, 0x45, 0x06
"""What an instruction of BPF does (linux/filter.h)."""
NUMBER, FOURTH_ARGUMENT = 0, 40
"""Where seccomp_data has them; of an argument its lower half."""
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
"""An answer; the second one with an errno."""
Instruction = tuple[int, int, int, int]
"""What it does, how many to skip if that is true and if not, and its operand."""

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_NUMBERS = {"x86_64": {"setfsuid": 122, "setfsgid": 123}, "aarch64": {"setfsuid": 151, "setfsgid": 152}}


def refuse_call(name: str, number: int) -> None:
    """Refuse one call with an errno, as `filter_calls` does."""
    its_own = _NUMBERS[platform.machine()][name]
    filter_calls([(LOAD, 0, 0, NUMBER), (EQUAL, 0, 1, its_own), (ANSWER, 0, 0, REFUSE | number), (ANSWER, 0, 0, ALLOW)])


def filter_calls(instructions: Sequence[Instruction]) -> None:
    """Have them answer each call of this thread and of what it starts, from now on and for good. Who isn't root loses
    set-user-ID programs, too: seccomp(2) wants that."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0:
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    content = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    kept = ctypes.create_string_buffer(content, len(content))
    program = ctypes.create_string_buffer(struct.pack("=H6xQ", len(instructions), ctypes.addressof(kept)))
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_SECCOMP")
