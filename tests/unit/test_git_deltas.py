"""Deltas in packs that nobody vouches for: a result that is larger than it says is never made."""

import errno
from collections.abc import Iterator

import pytest

from katafs.errors import CorruptKata
from katafs.untrusted.deltas import applied
from katafs.untrusted.inflate import Work
from tests.harness import needs
from tests.harness.refusals import refused

MIB = b"\x80\x80\x40"
"""1 MiB, as a delta writes it."""
COPY_MIB = b"\xc0\x10"
"""Copies the first 1 MiB of the base."""
BASE = bytes(range(256)) * 4096


@pytest.fixture
def work() -> Iterator[Work]:
    """What one tag may cost."""
    work = Work()
    yield work
    work.end()


def test_a_delta_copies_from_its_base_and_brings_bytes_of_its_own(work: Work) -> None:
    delta = MIB + b"\x83\x80\x40" + COPY_MIB + b"\x03abc"

    assert applied(BASE, delta, work) == BASE + b"abc"


def test_a_copy_has_a_start_and_a_size_of_up_to_four_and_three_bytes(work: Work) -> None:
    assert applied(BASE, MIB + b"\x02" + b"\x97\x41\x01\x02\x02", work) == b"AB"
    assert applied(BASE, MIB + b"\x80\x80\x04" + b"\x80", work) == BASE[:0x10000]


def test_copies_past_the_end_of_the_result_are_refused_at_once(work: Work) -> None:
    tracemalloc = needs.traced_allocations()
    tracemalloc.start()
    try:
        with pytest.raises(CorruptKata, match="leads outside"):
            applied(BASE, MIB + MIB + COPY_MIB * 200, work)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 4 << 20


def test_very_many_small_copies_are_too_much_work(work: Work) -> None:
    with refused(errno.EFBIG):
        applied(BASE, MIB + MIB + b"\x91\x00\x01" * (1 << 20), work)


DAMAGED = {
    "another base": b"\x05" + b"\x01" + b"\x01a",
    "less than it says": MIB + b"\x02" + b"\x01a",
    "more than it says": MIB + b"\x01" + b"\x02ab",
    "outside of its base": MIB + MIB + b"\xc1\x01\x10",
    "cut off in a copy": MIB + MIB + b"\xc0",
    "cut off in its own bytes": MIB + b"\x02" + b"\x02a",
    "a step that is none": MIB + b"\x01" + b"\x00",
    "a size without an end": b"\x80" * 20,
    "empty": b"",
}


@pytest.mark.parametrize("delta", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_one_is_said_to_be(work: Work, delta: bytes) -> None:
    with pytest.raises(CorruptKata):
        applied(BASE, delta, work)
