"""INIT: what the kernel can do, and what of it this side asks for."""

from dataclasses import dataclass

from katafs.errors import KatafsError
from katafs.fuse import wire

MOST_PAGES = 256
PAGE_BYTES = 4096
MOST_BYTES = MOST_PAGES * PAGE_BYTES
"""The largest write, and the largest read."""
MOST_IN_BACKGROUND = 64
"""Reads ahead and RELEASEs, which nobody waits for at once, are sent only while fewer are without a reply; 12 where
nothing is said. One disk that hangs would soon keep those, and with them everybody's reads. Not more: they would be
served before what programs wait for (8 clients at once took a tenth longer with 128, and with 1024)."""
_FEWEST_PAGES = 32
"""What a kernel moves in one request that doesn't ask how many."""

_WANTED = (
    wire.ASYNC_READ
    | wire.ATOMIC_O_TRUNC
    | wire.BIG_WRITES
    | wire.AUTO_INVAL_DATA
    | wire.DO_READDIRPLUS
    | wire.PARALLEL_DIROPS
    | wire.MAX_PAGES
    | wire.INIT_EXT
    | wire.DIRECT_IO_ALLOW_MMAP
    | wire.PASSTHROUGH
)
"""Not: a writeback cache, which answers writes before the volume has them; READDIRPLUS_AUTO, which asks for attributes
only at first; POSIX_ACL, since ACLs aren't enforced; DONT_MASK, so that the kernel applies the umask; locks, which it
keeps itself; HANDLE_KILLPRIV, so that it clears set-ID bits by its own rules; ASYNC_DIO, with which a write with
O_DIRECT that has room for a part of it is EIO, and what was written is cut off."""

_NEEDED = wire.DO_READDIRPLUS


class ProtocolUnknown(KatafsError):
    """The kernel speaks a protocol that is too old."""


@dataclass(frozen=True)
class Agreement:
    """What both sides do from now on."""

    minor: int
    flags: int

    def has(self, flag: int) -> bool:
        """Whether both sides know it."""
        return bool(self.flags & flag)

    def prunes(self) -> bool:
        """Whether the kernel can be asked to let go of inodes that nobody uses."""
        return self.minor >= wire.PRUNE_MINOR


def agree(body: bytes) -> tuple[bytes, Agreement | None]:
    """The reply to INIT, and what was agreed on; None where the kernel is newer and has to ask again. Raises
    ProtocolUnknown."""
    major, minor, read_ahead, offered = wire.INIT_IN.unpack_from(body)
    if major > wire.MAJOR:
        return _reply(wire.NEWEST_MINOR, 0, 0, 0), None
    if offered & wire.INIT_EXT and len(body) >= wire.INIT_IN.size + wire.INIT_IN_FLAGS2.size:
        offered |= wire.INIT_IN_FLAGS2.unpack_from(body, wire.INIT_IN.size)[0] << 32
    if major < wire.MAJOR or minor < wire.OLDEST_MINOR or not offered & _NEEDED:
        oldest = f"{wire.MAJOR}.{wire.OLDEST_MINOR}"
        raise ProtocolUnknown(
            f"the kernel speaks FUSE {major}.{minor}, and {oldest} (Linux 5.4) is the oldest that will do"
        )
    flags = offered & _WANTED
    pages = MOST_PAGES if flags & wire.MAX_PAGES else _FEWEST_PAGES
    agreed = Agreement(min(minor, wire.NEWEST_MINOR), flags)
    return _reply(agreed.minor, read_ahead, flags, pages), agreed


def _reply(minor: int, read_ahead: int, flags: int, pages: int) -> bytes:
    stacked = 1 if flags & wire.PASSTHROUGH else 0
    return wire.INIT_OUT.pack(
        wire.MAJOR, minor, read_ahead, flags & 0xFFFFFFFF, MOST_IN_BACKGROUND, MOST_IN_BACKGROUND, pages * PAGE_BYTES,
        1, pages, 0, flags >> 32, stacked, 0,
    )  # fmt: skip
