"""INIT, with kernels that can do more and less."""

import struct

import pytest

from katafs.fuse import wire
from katafs.fuse.negotiation import ProtocolUnknown, agree

EVERYTHING = (1 << 30) - 1 | wire.INIT_EXT


def asked(minor: int = 45, flags: int = EVERYTHING, flags2: int = 0xFFFFFFFF, major: int = 7) -> bytes:
    return struct.pack("=5I", major, minor, 131072, flags, flags2) + bytes(44)


def replied(reply: bytes) -> dict[str, int]:
    names = ("major", "minor", "read_ahead", "flags", "background", "congestion", "most_write", "gran", "pages", "map")
    assert len(reply) == 64
    return dict(zip((*names, "flags2", "stacked"), struct.unpack_from("=4I2H2I2H2I", reply), strict=True))


def test_a_kernel_that_can_do_everything_is_asked_for_what_is_wanted() -> None:
    reply, agreed = agree(asked())

    told = replied(reply)
    assert (told["major"], told["minor"], told["most_write"], told["pages"]) == (7, 45, 1 << 20, 256)
    assert told["flags"] & wire.DO_READDIRPLUS
    assert told["flags"] & wire.PARALLEL_DIROPS
    assert told["gran"] == 1
    assert told["background"] == told["congestion"] == 64
    assert agreed is not None


UNWANTED = {
    "POSIX_LOCKS": 1 << 1,
    "DONT_MASK": 1 << 6,
    "FLOCK_LOCKS": 1 << 10,
    "READDIRPLUS_AUTO": 1 << 14,
    "ASYNC_DIO": 1 << 15,
    "WRITEBACK_CACHE": 1 << 16,
    "HANDLE_KILLPRIV": 1 << 19,
    "POSIX_ACL": 1 << 20,
    "HANDLE_KILLPRIV_V2": 1 << 28,
}


@pytest.mark.parametrize("flag", UNWANTED)
def test_what_would_change_the_tree_is_not_asked_for(flag: str) -> None:
    reply, _ = agree(asked())

    assert not replied(reply)["flags"] & UNWANTED[flag]


@pytest.mark.parametrize("bit", [0, 3, 12, 18, 22])
def test_what_a_kernel_lacks_it_is_not_asked_for(bit: int) -> None:
    reply, agreed = agree(asked(flags=EVERYTHING & ~(1 << bit)))

    assert not replied(reply)["flags"] & 1 << bit
    assert agreed is not None
    assert not agreed.has(1 << bit)


def test_a_kernel_without_large_requests_gets_small_ones() -> None:
    reply, _ = agree(asked(flags=EVERYTHING & ~wire.MAX_PAGES))

    assert replied(reply)["most_write"] == 32 * 4096


def test_the_oldest_kernel_sends_a_short_request() -> None:
    """Linux 5.4 has no second word of flags."""
    reply, agreed = agree(struct.pack("=4I", 7, 31, 131072, wire.DO_READDIRPLUS | wire.MAX_PAGES))

    assert replied(reply)["minor"] == 31
    assert replied(reply)["flags2"] == 0
    assert agreed is not None


def test_what_follows_the_first_flags_is_no_flag_unless_the_kernel_says_so() -> None:
    _, agreed = agree(asked(flags=EVERYTHING & ~wire.INIT_EXT))

    assert agreed is not None
    assert not agreed.has(wire.PASSTHROUGH)


def test_what_stands_in_the_second_flags_is_asked_for_where_the_kernel_has_it() -> None:
    reply, agreed = agree(asked())

    assert agreed is not None
    assert agreed.has(wire.PASSTHROUGH)
    assert replied(reply)["flags2"] == 1 << 4 | 1 << 5
    assert replied(reply)["stacked"] == 1


@pytest.mark.parametrize("minor", range(wire.OLDEST_MINOR, wire.NEWEST_MINOR + 1))
def test_each_minor_is_agreed_on(minor: int) -> None:
    reply, agreed = agree(asked(minor=minor))

    assert agreed is not None
    assert (replied(reply)["minor"], agreed.minor) == (minor, minor)


def test_a_newer_minor_is_answered_with_our_own() -> None:
    reply, _ = agree(asked(minor=99))

    assert replied(reply)["minor"] == wire.NEWEST_MINOR


def test_a_newer_major_is_told_ours_and_asks_again() -> None:
    reply, agreed = agree(asked(major=8))

    assert replied(reply)["major"] == 7
    assert agreed is None


@pytest.mark.parametrize(
    "request_",
    [
        asked(major=6),
        *(asked(minor=minor) for minor in range(wire.OLDEST_MINOR)),
        asked(flags=EVERYTHING & ~wire.DO_READDIRPLUS),
    ],
)
def test_a_kernel_that_is_too_old_is_refused(request_: bytes) -> None:
    with pytest.raises(ProtocolUnknown, match=r"7\.31 \(Linux 5\.4\)"):
        agree(request_)


@pytest.mark.parametrize(("minor", "prunes"), [(44, False), (45, True), (99, True)])
def test_from_which_kernel_on_inodes_can_be_pruned(minor: int, prunes: bool) -> None:
    _, agreed = agree(asked(minor=minor))

    assert agreed is not None
    assert agreed.prunes() is prunes
