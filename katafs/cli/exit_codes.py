"""The one table of exit codes."""

import enum

from katafs.errors import BadSetting, KatafsError, MountPointUnusable, StoreUnreachable


class ExitCode(enum.IntEnum):
    """What a katafs command ends with."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    STORE_UNREACHABLE = 3
    MOUNT_POINT_UNUSABLE = 4


_MOUNT_USAGE = 1
_MOUNT_FAILED = 32
"""The exit status of mount(8) and its helpers."""

_MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed",
    ExitCode.USAGE: "wrong usage",
    ExitCode.STORE_UNREACHABLE: "the store of volumes is unreachable",
    ExitCode.MOUNT_POINT_UNUSABLE: "the mount point is unusable",
}

TABLE = "\n".join(["\b", "Exit codes:", *(f"  {code.value}  {meaning}" for code, meaning in _MEANINGS.items())])
"""For `--help`; click keeps the lines of a paragraph that begins with \\b."""


def of_fault(fault: KatafsError) -> ExitCode:
    """The code a command ends with after a fault."""
    if isinstance(fault, BadSetting):
        return ExitCode.USAGE
    if isinstance(fault, StoreUnreachable):
        return ExitCode.STORE_UNREACHABLE
    if isinstance(fault, MountPointUnusable):
        return ExitCode.MOUNT_POINT_UNUSABLE
    return ExitCode.FAILED


def for_mount(code: int) -> int:
    """The same in the words of mount(8)."""
    if code == ExitCode.DONE:
        return code
    return _MOUNT_USAGE if code == ExitCode.USAGE else _MOUNT_FAILED
