"""Inflating git's objects from files that nobody vouches for, and what that may cost.

Must not know where an object lies. A size is known before a byte of it is inflated, and checked first.
"""

import errno
import io
import os
import threading
import zlib

from katafs.errors import CorruptKata
from katafs.rooted.answer import answer

OBJECT_LIMIT_BYTES = 32 << 20
"""The largest object that is inflated. A manifest.json above it, such as one of 475 MB, is EFBIG."""

WORK_LIMIT_BYTES = 256 << 20
"""All that is inflated and copied to read one tag: it bounds what that takes in time."""

_LARGE_BYTES = 1 << 20
_large = threading.Lock()
"""Covers what large objects, and all else that is much, take of memory and descriptors, not data: one thread at a time
has any, however many read tags."""

_READ_BYTES = 64 << 10
_LEAST_COST_BYTES = 4 << 10
"""What an object, a step to a delta's base or an index of a pack costs however small it is, since finding it takes time
too."""


class Work:
    """What reading one tag has cost. Not for several threads; `end` when nothing of what was read is held any more."""

    def __init__(self) -> None:
        self._left_bytes = WORK_LIMIT_BYTES
        self._large = False

    def take(self, size_bytes: int) -> None:
        """Allow for an object of this size. Raises OSError(EFBIG) for one too large, or where too much was done."""
        self._left_bytes -= max(size_bytes, _LEAST_COST_BYTES)
        if size_bytes > OBJECT_LIMIT_BYTES or self._left_bytes < 0:
            raise answer(errno.EFBIG)
        if size_bytes > _LARGE_BYTES:
            self.be_alone()

    def be_alone(self) -> None:
        """Wait for whoever reads what is large, and let others wait, until `end`."""
        if not self._large:
            _large.acquire()
            self._large = True

    def end(self) -> None:
        """Let others read what is large."""
        if self._large:
            self._large = False
            _large.release()


class Inflating:
    """The inflated bytes of one zlib stream in a file, from an offset on."""

    def __init__(self, descriptor: int, offset: int) -> None:
        self._descriptor = descriptor
        self._offset = offset
        self._zlib = zlib.decompressobj()
        self._unread_bytes = 0
        """Deflated bytes that gave nothing: a stream of empty blocks has no size, and could go on for ever."""

    def read(self, size_bytes: int) -> bytes:
        """The next bytes, fewer only at the stream's end. Raises CorruptKata where the stream is damaged."""
        inflated = io.BytesIO()
        while inflated.tell() < size_bytes and not self._zlib.eof:
            inflated.write(self._step(size_bytes - inflated.tell()))
        return inflated.getvalue()

    def end(self) -> None:
        """Raises CorruptKata unless the stream ends here and its checksum is right."""
        while not self._zlib.eof:
            if self._step(1):
                raise CorruptKata("an object is larger than it says")

    def _step(self, most_bytes: int) -> bytes:
        deflated = self._zlib.unconsumed_tail
        if not deflated:
            deflated = os.pread(self._descriptor, min(_READ_BYTES, most_bytes + 512), self._offset)
            self._offset += len(deflated)
        try:
            piece = self._zlib.decompress(deflated, most_bytes)
        except zlib.error as error:
            raise CorruptKata(f"an object is damaged: {error}") from error
        if not deflated and not piece:
            raise CorruptKata("an object is cut off")
        self._unread_bytes = 0 if piece else self._unread_bytes + len(deflated)
        if self._unread_bytes > _READ_BYTES:
            raise CorruptKata("an object is damaged: it has no end")
        return piece


def inflate(descriptor: int, offset: int, size_bytes: int, work: Work) -> bytes:
    """The stream at an offset, which must be exactly `size_bytes` long.

    Raises CorruptKata where it isn't, OSError(EFBIG) where that is too much."""
    work.take(size_bytes)
    stream = Inflating(descriptor, offset)
    content = stream.read(size_bytes)
    stream.end()
    if len(content) != size_bytes:
        raise CorruptKata("an object is smaller than it says")
    return content
