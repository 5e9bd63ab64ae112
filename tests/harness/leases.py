"""A file's owner takes a lease on it (fcntl(2), F_SETLEASE), so that whoever opens the file waits for the owner."""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def leased(path: Path) -> Iterator[None]:
    """While the block runs the file is under a lease that no reader gets past."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    owner = os.open(path, os.O_RDWR)
    try:
        fcntl.fcntl(owner, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield
    finally:
        os.close(owner)
        signal.signal(signal.SIGIO, before)
