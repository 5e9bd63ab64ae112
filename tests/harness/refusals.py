"""Says of a call that the system refuses it, and with which errno."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def refused(number: int) -> Iterator[None]:
    """The block must end in an OSError with this errno; one with another passes on, since its text tells most."""
    try:
        yield
    except OSError as problem:
        if problem.errno != number:
            raise
        return
    raise AssertionError(f"wanted {errno.errorcode[number]} ({os.strerror(number)}), but nothing was refused")
