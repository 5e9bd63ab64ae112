"""A filter of system calls, as a service has it by SystemCallFilter= and SystemCallErrorNumber= (systemd.exec(5))."""

import ctypes
import os
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_NUMBERS = {"x86_64": {"setfsuid": 122, "setfsgid": 123}, "aarch64": {"setfsuid": 151, "setfsgid": 152}}
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_RETURN_ERRNO = 0x00050000
_RETURN_ALLOW = 0x7FFF0000
_INSTRUCTION = struct.Struct("HBBI")
"""Code, how many to skip if true and if not, operand (linux/filter.h)."""
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def filter_call(name: str, number: int) -> None:
    """From now on the call fails in this thread, and in what it starts, with this errno (seccomp(2)). For good: only in
    a child."""
    instructions = b"".join(
        _INSTRUCTION.pack(*each)
        for each in (
            (_LOAD_WORD, 0, 0, 0),  # the call's number is what seccomp_data begins with
            (_JUMP_IF_EQUAL, 0, 1, _NUMBERS[os.uname().machine][name]),
            (_RETURN, 0, 0, _RETURN_ERRNO | number),
            (_RETURN, 0, 0, _RETURN_ALLOW),
        )
    )
    program = _Program(len(instructions) // _INSTRUCTION.size, instructions)
    if _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
