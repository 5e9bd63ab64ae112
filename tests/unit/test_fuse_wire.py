"""The protocol's structures and replies, against bytes as linux/fuse.h lays them out."""

import os
import struct
from dataclasses import dataclass, field, replace

import pytest

from katafs.fuse import replies, wire
from katafs.fuse.operations import Opened

SIZES = {
    "REQUEST_HEADER": 40,
    "REPLY_HEADER": 16,
    "FORGET_IN": 8,
    "BATCH_FORGET_IN": 8,
    "FORGET_ONE": 16,
    "GETATTR_IN": 16,
    "SETATTR_IN": 88,
    "MKNOD_IN": 16,
    "MKDIR_IN": 8,
    "RENAME_IN": 8,
    "RENAME2_IN": 16,
    "LINK_IN": 8,
    "OPEN_IN": 8,
    "CREATE_IN": 16,
    "READ_IN": 40,
    "WRITE_IN": 40,
    "RELEASE_IN": 24,
    "FSYNC_IN": 16,
    "SETXATTR_IN": 8,
    "GETXATTR_IN": 8,
    "FALLOCATE_IN": 32,
    "LSEEK_IN": 24,
    "INTERRUPT_IN": 8,
    "INIT_OUT": 64,
    "ENTRY_OUT": 128,
    "ATTR_OUT": 104,
    "OPEN_OUT": 16,
    "WRITE_OUT": 8,
    "LSEEK_OUT": 8,
    "STATFS_OUT": 80,
    "XATTR_SIZE_OUT": 8,
    "DIRENT": 24,
    "INVAL_INODE_OUT": 24,
    "INVAL_ENTRY_OUT": 16,
    "PRUNE_OUT": 16,
    "PRUNE_ONE": 8,
}
"""sizeof() of each structure."""


def _status(mtime_ns: int, size: int = 2**40, blocks: int = 9) -> os.stat_result:
    shown = (0o100644, 0, 0, 0, 1000, 2**32 - 2, size, 5, mtime_ns // 1_000_000_000, 0)
    times = {"st_atime_ns": 5_000_000_006, "st_mtime_ns": mtime_ns, "st_ctime_ns": 0}
    return os.stat_result(shown, {"st_blocks": blocks, "st_blksize": 4096, "st_rdev": 0, **times})


@dataclass(frozen=True)
class Told:
    """An inode's attributes."""

    number: int = 0x1122334455667788
    generation: int = 3
    status: os.stat_result = field(default_factory=lambda: _status(7_000_000_008))
    links: int = 2
    ctime_ns: int = 9_000_000_010
    timeout_s: float = 1.5
    unasked: bool = False


ATTR = struct.pack(
    "=3Q3q3I4I3I",
    0x1122334455667788, 2**40, 9, 5, 7, 9, 6, 8, 10, 0o100644, 2, 1000, 2**32 - 2, 0, 4096, 0,
)  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_a_structure_has_the_kernels_size(name: str) -> None:
    assert getattr(wire, name).size == SIZES[name]


def test_every_structure_that_is_copied_whole_is_checked() -> None:
    structures = {name for name in vars(wire) if isinstance(getattr(wire, name), struct.Struct)}

    assert structures - SIZES.keys() == {"INIT_IN", "INIT_IN_FLAGS2"}  # which have grown from version to version


def test_an_entry() -> None:
    head = struct.pack("=4Q2I", 0x1122334455667788, 3, 1, 1, 500_000_000, 500_000_000)

    assert replies.entry(Told()) == head + ATTR


def test_the_entry_of_what_was_not_asked_keeps_the_name_only() -> None:
    head = struct.pack("=4Q2I", 0x1122334455667788, 3, 1, 0, 500_000_000, 0)

    assert replies.entry(Told(unasked=True)) == head + ATTR


def test_attributes() -> None:
    assert replies.attributes(Told()) == struct.pack("=QII", 1, 500_000_000, 0) + ATTR


def test_a_time_before_1970() -> None:
    (seconds,) = struct.unpack_from("=q", replies.attributes(replace(Told(), status=_status(-1))), 16 + 32)
    (nanoseconds,) = struct.unpack_from("=I", replies.attributes(replace(Told(), status=_status(-1))), 16 + 52)

    assert (seconds, nanoseconds) == (-1, 999_999_999)


def test_a_negative_size() -> None:
    """An answer that can't be made would leave lookups counted that the kernel wasn't told of."""
    told = replies.entry(replace(Told(), status=_status(0, size=-1, blocks=-1)))

    assert struct.unpack_from("=2q", told, 40 + 8) == (-1, -1)


@pytest.mark.parametrize(("keeps", "flags"), [(True, 2), (False, 0)])
def test_an_open_file(keeps: bool, flags: int) -> None:
    assert replies.opened(Opened(5, keep_cache=keeps)) == struct.pack("=QII", 5, flags, 0)


@pytest.mark.parametrize(("may_bypass", "flags"), [(True, 1), (False, 0)])
def test_an_open_file_that_is_not_to_be_cached(may_bypass: bool, flags: int) -> None:
    """Only where it can still be mapped and shared."""
    told = replies.opened(Opened(5, keep_cache=False, uncached=True), may_bypass=may_bypass)

    assert told == struct.pack("=QII", 5, flags, 0)


def test_an_open_file_that_the_kernel_reads_itself_has_a_backing_id_and_no_cache() -> None:
    assert replies.opened(Opened(5, keep_cache=True), 9) == struct.pack("=QII", 5, 1 << 7, 9)


def test_an_entry_of_a_listing_is_padded_to_8_bytes() -> None:
    listing = replies.Entries(4096)

    listing.add([b"name"], [Told()], 17)
    dirent = struct.pack("=QQII", 0x1122334455667788, 17, 4, 8) + b"name" + bytes(4)
    assert listing.content() == replies.entry(Told()) + dirent


@pytest.mark.parametrize("name", [b".", b".."])
def test_the_dots_of_a_listing_are_no_lookups(name: bytes) -> None:
    listing = replies.Entries(4096)

    listing.add_unknown(name, 7, 1)
    assert listing.content()[:128] == bytes(128)


def test_a_listing_takes_no_more_than_there_is_room_for() -> None:
    listing = replies.Entries(2 * 160 + 159)
    names = [b"12345678"] * 5
    room = listing.room_for(names)
    listing.add(names, [Told()] * room, 1)

    assert (room, len(listing.content())) == (2, 320)
    assert not listing.room_for([b"1234567"])
    assert replies.Entries(160).room_for([b"12345678"]) == 1
    assert replies.Entries(160).room_for([b"123456789"]) == 0


def test_entries_taken_in_together_are_followed_by_one_number_after_the_other() -> None:
    together, apart = replies.Entries(4096), replies.Entries(4096)

    together.add([b"a", b"b", b"untold"], [Told(), Told()], 8)
    apart.add([b"a"], [Told()], 8)
    apart.add([b"b"], [Told()], 9)
    assert together.content() == apart.content()


def test_the_names_of_extended_attributes_end_with_nul() -> None:
    assert replies.names([b"user.a", b"user.b"]) == b"user.a\0user.b\0"
