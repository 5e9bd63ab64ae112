"""A file with holes as a member of an archive: the ranges of its data alone, by GNU tar's sparse format 1.0.

Source of the format: GNU tar's manual, "Storing Sparse Files". A container can make a file of holes that claims to be
16 TB: nobody is to read or pack that.
"""

import io
import os
import tarfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Range = tuple[int, int]
"""Start and end, in bytes."""


def add_sparse(archive: tarfile.TarFile, member: tarfile.TarInfo, content: BinaryIO, ranges: Sequence[Range]) -> None:
    """Add a file, of whose `size` only these ranges aren't holes."""
    # The last range ends where the file does, also where that is a hole.
    ranges = [*ranges, (member.size, member.size)]
    numbers = [len(ranges), *(number for start, end in ranges for number in (start, end - start))]
    table = "".join(f"{number}\n" for number in numbers).encode()
    table += bytes(-len(table) % tarfile.BLOCKSIZE)
    member.pax_headers = {
        **member.pax_headers,
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": member.name,
        "GNU.sparse.realsize": str(member.size),
    }
    member.size = len(table) + sum(end - start for start, end in ranges)
    archive.addfile(member, io.BufferedReader(_Pieces(table, content.fileno(), ranges)))


class _Pieces(io.RawIOBase):
    """The table, and then the ranges of the file one after the other."""

    def __init__(self, table: bytes, file: int, ranges: Sequence[Range]) -> None:
        super().__init__()
        self._table = table
        self._file = file
        self._left = list(reversed(ranges))

    def readable(self) -> bool:
        """As RawIOBase has it."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """As RawIOBase has it."""
        view = memoryview(buffer)
        if self._table:
            count = min(len(view), len(self._table))
            view[:count], self._table = self._table[:count], self._table[count:]
            return count
        while self._left:
            start, end = self._left.pop()
            if start < end:
                count = os.preadv(self._file, [view[: end - start]], start)
                self._left.append((start + count, end))
                return count
        return 0
