"""The bounded cache of descriptors."""

import os
import resource
from collections.abc import Iterator

import pytest

from katafs.namespace import PLAIN
from katafs.tree.descriptors import Descriptors, Reserve
from katafs.tree.nodes import Node

LIMIT = 3
FEW = 64


@pytest.fixture
def kept() -> Iterator[Descriptors]:
    """A cache for three."""
    kept = Descriptors(LIMIT, Reserve())
    yield kept
    kept.close()


def node(number: int) -> Node:
    return Node(number, PLAIN, None, None, b"d", (1, number), is_directory=True)


def opened() -> int:
    return os.open("/", os.O_PATH)


def is_open(descriptor: int) -> bool:
    return os.path.lexists(f"/proc/self/fd/{descriptor}")


def test_what_is_kept_is_found(kept: Descriptors) -> None:
    it, descriptor = node(1), opened()

    assert kept.keep(it, descriptor) == descriptor
    assert kept.get(it) == descriptor


def test_what_was_not_kept_is_not_found(kept: Descriptors) -> None:
    assert kept.get(node(1)) is None


def test_hits_and_misses_of_directories_are_counted(kept: Descriptors) -> None:
    it = node(1)
    kept.keep(it, opened())
    for asked in (it, it, node(2), Node(3, PLAIN, None, None, b"f", (1, 3), is_directory=False)):
        kept.get(asked)

    assert (kept.hits, kept.misses) == (2, 1)


def test_nothing_is_closed_before_the_trim(kept: Descriptors) -> None:
    """A request may hold more than the limit while it walks down a deep path."""
    descriptors = [kept.keep(node(number), opened()) for number in range(10)]

    assert all(map(is_open, descriptors))


def test_the_trim_closes_the_least_recently_used(kept: Descriptors) -> None:
    nodes = [node(number) for number in range(LIMIT + 1)]
    descriptors = [kept.keep(each, opened()) for each in nodes]
    kept.get(nodes[0])

    kept.trim()

    assert [is_open(descriptor) for descriptor in descriptors] == [True, False, True, True]


def test_after_the_trim_there_are_no_more_than_the_limit(kept: Descriptors) -> None:
    for number in range(10):
        kept.keep(node(number), opened())

    kept.trim()

    assert len(kept) == LIMIT


def test_a_second_descriptor_takes_the_firsts_place(kept: Descriptors) -> None:
    it = node(1)
    first, second = kept.keep(it, opened()), kept.keep(it, opened())

    assert (is_open(first), kept.get(it)) == (False, second)


def test_what_is_dropped_is_closed(kept: Descriptors) -> None:
    it = node(1)
    descriptor = kept.keep(it, opened())

    kept.drop(it)

    assert (is_open(descriptor), kept.get(it)) == (False, None)


def test_the_end_closes_all() -> None:
    kept = Descriptors(LIMIT, Reserve())
    descriptors = [kept.keep(node(number), opened()) for number in range(LIMIT)]

    kept.close()

    assert not any(map(is_open, descriptors))


@pytest.fixture
def few_left() -> Iterator[None]:
    """All but the last descriptors are in use."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, before[1]))
    used = [opened()]
    while used[-1] < FEW - FEW // 8 - 1:
        used.append(opened())
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    for descriptor in used:
        os.close(descriptor)


@pytest.mark.usefixtures("few_left")
def test_the_last_descriptors_are_kept_for_one_request() -> None:
    kept = Descriptors(LIMIT, Reserve())
    descriptor = kept.keep(node(1), opened())
    had_room = kept.has_room()
    kept.trim()

    assert (had_room, is_open(descriptor), len(kept)) == (False, False, 0)
