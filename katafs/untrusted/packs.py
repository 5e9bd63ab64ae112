"""One of git's packs, read by position: its index (versions 1 and 2), its entries, its chains of deltas.

Source of the formats: gitformat-pack(5). Must not know where packs lie nor what is in an object. Dulwich's own classes
for packs would map the files and follow chains without a bound.
"""

import os
import struct
from typing import NamedTuple

from katafs.errors import CorruptKata
from katafs.untrusted.deltas import applied
from katafs.untrusted.inflate import Work, inflate

DEPTH_LIMIT = 4_095
"""The longest chain of deltas that git itself writes (git-config(1), pack.depth)."""

_SHA_BYTES = 20
_FAN_OUT_BYTES = 256 * 4
_MAGIC_2 = b"\377tOc\0\0\0\2"
_OFS_DELTA = 6
_REF_DELTA = 7
_HEADER_BYTES = 64
_VARINT_BYTES = 10


class _Entry(NamedTuple):
    kind: int
    size_bytes: int
    data_offset: int
    base_offset: int


class Pack:
    """A pack whose two files are open; closing them is the owner's affair."""

    def __init__(self, index: int, data: int) -> None:
        self._index = index
        self._data = data
        self._second = _pread(index, len(_MAGIC_2), 0) == _MAGIC_2
        self._fan_out = len(_MAGIC_2) if self._second else 0
        (self._count,) = struct.unpack(">L", _pread(index, 4, self._fan_out + _FAN_OUT_BYTES - 4))

    def find(self, sha: bytes) -> int | None:
        """The offset of the object of this binary sha, None where the pack hasn't got it."""
        low, high = self._between(sha[0])
        while low < high:
            middle = (low + high) // 2
            found = self._sha(middle)
            if found == sha:
                return self._offset(middle)
            if found < sha:
                low = middle + 1
            else:
                high = middle
        return None

    def read(self, offset: int, work: Work) -> tuple[int, bytes]:
        """The type and the bytes of the object at an offset. Raises CorruptKata, OSError(EFBIG)."""
        deltas = []
        entry = self._entry(offset)
        while entry.kind in (_OFS_DELTA, _REF_DELTA):
            deltas.append(entry)
            if len(deltas) > DEPTH_LIMIT:
                raise CorruptKata(f"a chain of more than {DEPTH_LIMIT} deltas")
            work.take(0)  # a chain that ends nowhere takes its time, too, and each pack may have one
            entry = self._entry(entry.base_offset)
        content = inflate(self._data, entry.data_offset, entry.size_bytes, work)
        while deltas:
            delta = deltas.pop()
            content = applied(content, inflate(self._data, delta.data_offset, delta.size_bytes, work), work)
        return entry.kind, content

    def _between(self, first: int) -> tuple[int, int]:
        if first == 0:
            low, (high,) = 0, struct.unpack(">L", _pread(self._index, 4, self._fan_out))
        else:
            low, high = struct.unpack(">LL", _pread(self._index, 8, self._fan_out + (first - 1) * 4))
        if not low <= high <= self._count:
            raise CorruptKata("the index of a pack is damaged")
        return low, high

    def _sha(self, place: int) -> bytes:
        start = self._fan_out + _FAN_OUT_BYTES
        if self._second:
            return _pread(self._index, _SHA_BYTES, start + place * _SHA_BYTES)
        return _pread(self._index, _SHA_BYTES, start + place * (4 + _SHA_BYTES) + 4)

    def _offset(self, place: int) -> int:
        start = self._fan_out + _FAN_OUT_BYTES
        if not self._second:
            return self._number(">L", start + place * (4 + _SHA_BYTES))
        offsets = start + self._count * (_SHA_BYTES + 4)
        offset = self._number(">L", offsets + place * 4)
        if offset < 1 << 31:
            return offset
        return self._number(">Q", offsets + self._count * 4 + (offset - (1 << 31)) * 8) & ((1 << 63) - 1)

    def _number(self, form: str, position: int) -> int:
        number: int = struct.unpack(form, _pread(self._index, struct.calcsize(form), position))[0]
        return number

    def _entry(self, offset: int) -> _Entry:
        header = _pread(self._data, _HEADER_BYTES, offset, whole=False)
        try:
            return self._parsed(offset, header)
        except IndexError as error:
            raise CorruptKata("a pack is cut off") from error

    def _parsed(self, offset: int, header: bytes) -> _Entry:
        kind = header[0] >> 4 & 7
        size_bytes, used = _size(header, header[0] & 15, 4) if header[0] & 0x80 else (header[0] & 15, 1)
        base = -1
        if kind == _OFS_DELTA:
            distance, used = _distance(header, used)
            base = offset - distance
            if not 0 < distance < offset:
                raise CorruptKata("a delta's base is outside of its pack")
        elif kind == _REF_DELTA:
            sha = header[used : used + _SHA_BYTES]
            used += _SHA_BYTES
            found = self.find(sha)
            if found is None:
                raise CorruptKata("a delta's base is missing in its pack")
            base = found
        elif kind not in (1, 2, 3, 4):
            raise CorruptKata(f"a pack has an entry of unknown type {kind}")
        return _Entry(kind, size_bytes, offset + used, base)


def _pread(descriptor: int, size_bytes: int, position: int, whole: bool = True) -> bytes:
    if position >= 1 << 62:
        raise CorruptKata("a pack points outside of itself")
    read = os.pread(descriptor, size_bytes, position)
    if len(read) < size_bytes and (whole or not read):
        raise CorruptKata("a pack or its index is cut off")
    return read


def _size(header: bytes, number: int, shift: int) -> tuple[int, int]:
    """A size in sevens of bits, the lowest first, from the header's second byte on; and where it ends."""
    for place in range(1, _VARINT_BYTES):
        number |= (header[place] & 0x7F) << shift
        shift += 7
        if not header[place] & 0x80:
            return number, place + 1
    raise CorruptKata("a pack has an entry without a size")


def _distance(header: bytes, start: int) -> tuple[int, int]:
    """How far before its delta a base lies; and where the number ends."""
    number = header[start] & 0x7F
    for place in range(start, start + _VARINT_BYTES):
        if place > start:
            number = (number + 1 << 7) | header[place] & 0x7F
        if not header[place] & 0x80:
            return number, place + 1
    raise CorruptKata("a delta's base is outside of its pack")
