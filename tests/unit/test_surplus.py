"""Which inodes the kernel is asked to forget, and when."""

import os

import pytest

from katafs.tree.surplus import Surplus
from tests.unit.conftest import Trees
from tests.unit.kernel import ME, Kernel

LIMIT = 80
"""The alarm is above 40, and 20 are enough."""


@pytest.fixture
def tree(tree_of: Trees) -> Kernel:
    """A tree that is to remember few inodes."""
    return tree_of(inodes=LIMIT)


def fill(tree: Kernel, first: int, count: int) -> list[int]:
    """New files; their numbers."""
    return [tree.write(b"%d" % number, b"").number for number in range(first, first + count)]


def numbers(surplus: Surplus, count: int) -> list[int]:
    return [each.number for each in surplus.pass_over(count)]


def test_up_to_the_alarm_nothing_is_to_be_done(tree: Kernel) -> None:
    fill(tree, 0, 39)

    assert not tree.tree.surplus.crowded.is_set()


def test_above_it_so_many_are_to_go_that_there_is_room_again(tree: Kernel) -> None:
    fill(tree, 0, 40)

    assert tree.tree.surplus.crowded.is_set()
    assert tree.tree.surplus.excess == 41 - 20


def test_the_oldest_are_asked_for_with_the_place_they_have(tree: Kernel) -> None:
    directory = tree.mkdir(b"d")
    file = tree.write(b"d/f", b"")
    fill(tree, 0, 10)

    passed = tree.tree.surplus.pass_over(3)

    assert [tuple(each) for each in passed] == [
        (directory.number, 1, b"d", True),
        (file.number, directory.number, b"f", False),
    ]


def test_what_the_tree_itself_uses_is_not_asked_for(tree: Kernel) -> None:
    opened, removed, other = fill(tree, 0, 3)
    handle = tree.tree.files.open(opened, os.O_RDONLY, ME)
    tree.unlink(b"1")

    assert numbers(tree.tree.surplus, 100) == [other]
    tree.tree.files.release(handle)
    assert numbers(tree.tree.surplus, 100) == [opened, other]
    assert removed not in numbers(tree.tree.surplus, 100)


def test_the_next_ones_are_asked_for_the_next_time(tree: Kernel) -> None:
    files = fill(tree, 0, 9)

    assert [numbers(tree.tree.surplus, 5) for _ in range(3)] == [files[:4], files[4:], files[:4]]


def test_after_what_was_forgotten_the_alarm_is_where_it_was(tree: Kernel) -> None:
    files = fill(tree, 0, 40)
    tree.tree.forget([(number, tree.known.pop(number)) for number in files[:20]])
    surplus = tree.tree.surplus
    surplus.crowded.clear()
    surplus.watch()
    fill(tree, 100, 19)
    before = surplus.crowded.is_set()
    fill(tree, 200, 1)

    assert (before, surplus.crowded.is_set()) == (False, True)
    assert surplus.forgotten.is_set()


def test_where_all_are_in_use_the_alarm_waits_for_many_more(tree: Kernel) -> None:
    fill(tree, 0, 40)
    surplus = tree.tree.surplus
    surplus.crowded.clear()
    surplus.watch()
    fill(tree, 100, LIMIT // 8)
    before = surplus.crowded.is_set()
    fill(tree, 200, 1)

    assert (before, surplus.crowded.is_set()) == (False, True)
