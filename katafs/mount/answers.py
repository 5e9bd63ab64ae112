"""The one place where errors become errno."""

import errno
import logging
import os
from collections.abc import Callable, Mapping

from katafs.errors import KatafsError, NoThread
from katafs.rooted.answer import DAMAGE

_log = logging.getLogger(__name__)

_ALARMING = DAMAGE | {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC}
"""Answers that POSIX knows and that an operator must still hear of."""
_HARMLESS = ("setxattr", errno.ENOSPC)
"""What ext4 says of an extended attribute that its inode has no room for, however much the disk has."""


def number_of(error: Exception) -> int:
    """What the caller of an operation is told of an error."""
    if isinstance(error, NoThread):
        return errno.EAGAIN  # as fork(2) and pthread_create(3) have it
    return error.errno if isinstance(error, OSError) and error.errno else errno.EIO


def errno_of(operation: str, error: Exception, where: Callable[[], Mapping[str, str]] = dict) -> int:
    """The same, and the error is logged as what it is: an answer, a fault or a bug. `where` gives what the log
    is told of where that was; it is asked only where something is logged."""
    if isinstance(error, MemoryError):  # this process's own want of it, as the kernel says its own
        error = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    if isinstance(error, OSError) and error.errno:
        alarms = error.errno in _ALARMING and (operation, error.errno) != _HARMLESS
        level = logging.WARNING if alarms else logging.DEBUG
        if _log.isEnabledFor(level):
            _log.log(level, "failed", extra={"operation": operation, "error": str(error), **where()})
    elif isinstance(error, KatafsError):
        cause = {} if error.__cause__ is None else {"cause": repr(error.__cause__)}
        _log.warning("failed", extra={"operation": operation, "error": str(error), **cause, **where()})
    else:
        _log.error("a bug in katafs", exc_info=error, extra={"operation": operation, **where()})
    return number_of(error)
