"""A walk through the whole tree below a directory's descriptor. Knows nothing of what it is done for.

Each entry is met by an O_PATH descriptor of its one name, and a directory is listed through the descriptor that it was
met by. So no link is followed, no mount point crossed and nothing opened for I/O, whatever is swapped meanwhile.
"""

import contextlib
import os
import stat
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from katafs.rooted import inodes, names


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One entry of a tree as it was met. The descriptor belongs to the walk, which closes it when it goes on, and a
    directory's when it has been left."""

    name: bytes
    above: "Entry | None"
    descriptor: int
    status: os.stat_result

    @property
    def path(self) -> bytes:
        """Its path below the top, which itself is `.`."""
        return b"/".join(self.parts) or b"."

    @property
    def parts(self) -> list[bytes]:
        """The names on the way from the top, which isn't one of them."""
        parts, entry = [], self
        while entry.above is not None:
            parts.append(entry.name)
            entry = entry.above
        return parts[::-1]

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory, and not a link to one."""
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def identity(self) -> tuple[int, int]:
        """As `inodes.identity_of`."""
        return inodes.identity_of(self.status)

    def located(self, problem: OSError) -> OSError:
        """The problem with this entry's path for its filename, which /proc/self/fd/7 would tell nobody."""
        return OSError(problem.errno or 0, problem.strerror, self.path)


class Step(NamedTuple):
    """The walk stands at an entry. It comes to a directory twice: before all that is in it, and leaving, after."""

    entry: Entry
    leaving: bool


def walk(top: int) -> Generator[Step, None, None]:
    """Every entry below a directory, and the directory itself first and last; names in the order of their bytes.

    Raises OSError with the path below the top as its filename: EXDEV where something is mounted, ENOENT for what was
    removed meanwhile, EMFILE below more directories than may be open at once."""
    first = top_entry(top)
    held = [(first, _names(first))]
    """The directories on the way down, each with the names that are still to come."""
    try:
        yield Step(first, leaving=False)
        while held:
            here, left = held[-1]
            name = next(left, None)
            if name is None:
                yield Step(here, leaving=True)
                os.close(held.pop()[0].descriptor)
                continue
            entry = meet(here, name)
            if entry.is_directory:
                held.append((entry, _names(entry)))
                yield Step(entry, leaving=False)
                continue
            try:
                yield Step(entry, leaving=False)
            finally:
                os.close(entry.descriptor)
    finally:
        for entry, _ in held:
            os.close(entry.descriptor)


def top_entry(directory: int) -> Entry:
    """The top of a tree as an entry, with a descriptor of its own that is the caller's to close."""
    descriptor = os.dup(directory)
    return Entry(b"", None, descriptor, names.status_or_close(descriptor))


def meet(above: Entry, name: bytes) -> Entry:
    """The entry of this name now; its descriptor is the caller's to close. Raises as `walk` does."""
    try:
        return Entry(name, above, *names.look(above.descriptor, name))
    except OSError as problem:
        raise Entry(name, above, -1, above.status).located(problem) from None


@contextlib.contextmanager
def met(directory: int, name: bytes) -> Iterator[Entry]:
    """The one entry of this name, for the time of a block. Raises as `walk` does."""
    above = top_entry(directory)
    try:
        entry = meet(above, name)
        try:
            yield entry
        finally:
            os.close(entry.descriptor)
    finally:
        os.close(above.descriptor)


def listing(directory: Entry) -> list[bytes]:
    """The names in a directory in the order of their bytes. Its atime stays, which is for its owner and root to ask."""
    try:
        readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOATIME, dir_fd=directory.descriptor)
        try:
            return sorted(os.fsencode(name) for name in os.listdir(readable))
        finally:
            os.close(readable)
    except OSError as problem:
        raise directory.located(problem) from None


def _names(directory: Entry) -> Iterator[bytes]:
    """A generator, so that a directory is listed when the walk has come to it."""
    yield from listing(directory)
