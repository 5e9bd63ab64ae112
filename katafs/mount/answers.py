"""The one place where errors become errno, and the wrapper that keeps any exception from ending the mount."""

import errno
import functools
import logging
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

import pyfuse3

from katafs.errors import KatafsError

_log = logging.getLogger(__name__)

_ALARMING = frozenset((errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM))
"""Answers that POSIX knows and that an operator must still hear of."""

Arguments = ParamSpec("Arguments")
Reply = TypeVar("Reply")


def answered(
    handler: Callable[Arguments, Coroutine[Any, Any, Reply]],
) -> Callable[Arguments, Coroutine[Any, Any, Reply]]:
    """A request's handler of which only FUSEError comes out: any other exception would end the binding's main loop."""

    @functools.wraps(handler)
    async def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Reply:
        try:
            return await handler(*args, **kwargs)
        except pyfuse3.FUSEError:
            raise
        except Exception as error:  # noqa: BLE001 a bug in one request must not take the others' mount away
            raise pyfuse3.FUSEError(errno_of(handler.__name__, error)) from None

    return wrapped


def errno_of(operation: str, error: Exception) -> int:
    """What the caller of an operation is told of an error; logged as what it is: an answer, a fault or a bug."""
    if isinstance(error, OSError) and error.errno:
        level = logging.WARNING if error.errno in _ALARMING else logging.DEBUG
        _log.log(level, "%s: %s", operation, error)
        return error.errno
    if isinstance(error, KatafsError):
        cause = "" if error.__cause__ is None else f" (from {error.__cause__!r})"
        _log.warning("%s: %s%s", operation, error, cause)
        return errno.EIO
    _log.error("%s: a bug in katafs", operation, exc_info=error)
    return errno.EIO
