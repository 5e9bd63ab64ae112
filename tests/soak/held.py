"""Files that a client holds open over many turns, while their names are renamed, replaced and removed."""

import errno
import hashlib
import os

from tests.soak.choice import LARGE_BYTES, Choice
from tests.soak.sides import Act, Side


def hold(choice: Choice) -> Act:
    """Open one, in the place of another."""
    name, number = choice.file(), choice.held()
    flags = os.O_RDWR | (os.O_APPEND if choice.number(2) else 0)

    def act(side: Side) -> object:
        if number in side.held:
            os.close(side.held.pop(number))
        side.held[number] = os.open(side.root / name, flags)
        return _looked_at(side.held[number])

    return act


def write_held(choice: Choice) -> Act:
    """Write into one."""
    number, content, offset = choice.held(), choice.content(), choice.size_bytes()

    def act(side: Side) -> object:
        descriptor = _held(side, number)
        if os.fstat(descriptor).st_size > LARGE_BYTES:
            os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, content, offset)
        os.fsync(descriptor)
        return _looked_at(descriptor)

    return act


def read_held(choice: Choice) -> Act:
    """Read one whole."""
    number = choice.held()
    return lambda side: _looked_at(_held(side, number))


def _held(side: Side, number: int) -> int:
    if number not in side.held:
        raise OSError(errno.EBADF, "not held")
    return side.held[number]


def _looked_at(descriptor: int) -> tuple[object, ...]:
    status = os.fstat(descriptor)
    content = os.pread(descriptor, 2 * LARGE_BYTES, 0)
    return status.st_size, status.st_nlink, oct(status.st_mode), hashlib.sha256(content).hexdigest()
