"""What a client does to a file's content: each function draws what is to be done, and returns the act."""

import hashlib
import mmap
import os
import stat
from pathlib import Path

from tests.posix.syscalls import FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE, fallocate
from tests.soak.choice import LARGE_BYTES, Choice
from tests.soak.sides import Act, Side

_ALLOCATIONS = (0, FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, FALLOC_ZERO_RANGE)
_PAGES_BYTES = 3 * mmap.PAGESIZE


def seen(path: Path) -> tuple[object, ...]:
    """What lstat says, of that on which two trees must agree. Raises OSError."""
    status = os.lstat(path)
    told = stat.filemode(status.st_mode), status.st_uid, status.st_gid
    return told if stat.S_ISDIR(status.st_mode) else (*told, status.st_nlink, status.st_size)


def write(choice: Choice) -> Act:
    """Make or replace the content."""
    name, content = choice.file(), choice.content()
    return lambda side: _written(side.root / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, [(content, 0)])


def create(choice: Choice) -> Act:
    """Make it, if it isn't there."""
    name, content = choice.new(), choice.content()
    return lambda side: _written(side.root / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, [(content, 0)])


def overwrite(choice: Choice) -> Act:
    """Write somewhere into it."""
    name, content, offset = choice.file(), choice.content(), choice.size_bytes()
    return lambda side: _written(side.root / name, os.O_RDWR, [(content, offset)])


def sparse(choice: Choice) -> Act:
    """Write twice, with a hole between."""
    name, content = choice.file(), choice.content()[:4096]
    ends = [(content, 0), (content, choice.number(LARGE_BYTES))]
    return lambda side: _written(side.root / name, os.O_RDWR | os.O_CREAT, ends)


def append(choice: Choice) -> Act:
    """Two writers in turns, each of them to the end; a file that is too large begins anew."""
    name, content = choice.file(), choice.content()

    def act(side: Side) -> object:
        path = side.root / name
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        writers = [os.open(path, flags, 0o644), os.open(path, flags, 0o644)]
        try:
            if os.fstat(writers[0]).st_size > LARGE_BYTES:
                os.ftruncate(writers[1], 0)
            for number in range(4):
                assert os.write(writers[number % 2], content[number::4]) == len(content[number::4])
        finally:
            for writer in writers:
                os.close(writer)
        return seen(path)

    return act


def truncate(choice: Choice) -> Act:
    """Make it shorter, or longer."""
    name, size_bytes = choice.file(), choice.size_bytes()

    def act(side: Side) -> object:
        os.truncate(side.root / name, size_bytes)
        return seen(side.root / name)

    return act


def allocate(choice: Choice) -> Act:
    """Make room in it or beyond its end, punch a hole, or zero a range; and read what that leaves."""
    name, offset, size_bytes = choice.file(), choice.size_bytes(), 1 + choice.size_bytes()
    mode = _ALLOCATIONS[choice.number(len(_ALLOCATIONS))]

    def act(side: Side) -> object:
        descriptor = os.open(side.root / name, os.O_RDWR)
        try:
            fallocate(descriptor, mode, offset, size_bytes)
            content = os.pread(descriptor, size_bytes, offset)
        finally:
            os.close(descriptor)
        return hashlib.sha256(content).hexdigest(), seen(side.root / name)

    return act


def map_pages(choice: Choice) -> Act:
    """Write through a shared mapping, into the middle of three pages."""
    name, content = choice.file(), choice.content()[:2000]
    offset = choice.number(_PAGES_BYTES - 2000)

    def act(side: Side) -> object:
        descriptor = os.open(side.root / name, os.O_RDWR)
        try:
            os.ftruncate(descriptor, max(_PAGES_BYTES, os.fstat(descriptor).st_size))
            with mmap.mmap(descriptor, _PAGES_BYTES) as pages:
                pages[offset : offset + len(content)] = content
                pages.flush()
            return os.pread(descriptor, _PAGES_BYTES, 0)
        finally:
            os.close(descriptor)

    return act


def read(choice: Choice) -> Act:
    """Read it whole."""
    name = choice.file()

    def act(side: Side) -> object:
        content = (side.root / name).read_bytes()
        return hashlib.sha256(content).hexdigest(), len(content), seen(side.root / name)

    return act


def _written(path: Path, flags: int, pieces: list[tuple[bytes, int]]) -> object:
    descriptor = os.open(path, flags, 0o644)
    try:
        for content, offset in pieces:
            assert os.pwrite(descriptor, content, offset) == len(content)
        return os.fstat(descriptor).st_size, seen(path)
    finally:
        os.close(descriptor)
