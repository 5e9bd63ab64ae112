"""Questions asked by a child process."""

import os
import time

import pytest

from katafs.doctor.asking import Unanswered, within
from katafs.errors import StoreUnreachable
from tests.harness.programs import in_child

LARGE = 3_000_000


def large() -> bytes:
    return bytes(LARGE)


def unreachable() -> None:
    raise StoreUnreachable("gone")


def never() -> None:
    os.read(os.pipe()[0], 1)


def standard_streams() -> list[str]:
    return [os.readlink(f"/proc/self/fd/{number}") for number in (0, 1, 2)]


def open_descriptors() -> tuple[int, int]:
    """How many there are before and after a question without an answer, and one with."""
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(Unanswered):
        within(0.05, never)
    within(60, large)
    return before, len(os.listdir("/proc/self/fd"))


def test_an_answer_comes_back_whatever_its_size() -> None:
    assert len(in_child(within, 60, large)) == LARGE


def test_what_is_raised_is_raised() -> None:
    with pytest.raises(StoreUnreachable, match=r"^gone$"):
        in_child(within, 60, unreachable)


def test_what_takes_too_long_is_left_behind() -> None:
    start_s = time.monotonic()
    with pytest.raises(Unanswered):
        in_child(within, 0.2, never)
    assert 0.2 <= time.monotonic() - start_s < 30


def test_a_child_that_ends_without_an_answer_has_none() -> None:
    with pytest.raises(Unanswered):
        in_child(within, 60, os._exit, 1)


def test_a_child_that_stays_holds_nothing_that_the_caller_reads() -> None:
    assert in_child(within, 60, standard_streams) == ["/dev/null"] * 3


def test_it_leaves_no_descriptor_open() -> None:
    before, after = in_child(open_descriptors)

    assert after == before
