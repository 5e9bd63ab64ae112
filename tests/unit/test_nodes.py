"""The inodes that the kernel remembers."""

import errno
import gc
import threading

import pytest

from katafs.namespace import PLAIN, ROOT
from katafs.tree.nodes import ROOT_NUMBER, Node, NodeTable
from tests.harness.refusals import refused


@pytest.fixture
def table() -> NodeTable:
    """A table with nothing but the root."""
    return NodeTable(Node(ROOT_NUMBER, ROOT, None, None, b"", None, is_directory=True))


def add(table: NodeTable, number: int, lookups: int, *, is_directory: bool = False) -> Node:
    node = Node(number, PLAIN, None, table.root, b"f", (1, number), is_directory, lookups)
    table.add(node)
    return node


def test_a_node_is_found_by_its_number(table: NodeTable) -> None:
    assert table.find(add(table, 5, 1).number).name == b"f"


def test_a_number_that_is_not_in_use_is_stale(table: NodeTable) -> None:
    with refused(errno.ESTALE):
        table.find(5)


def test_a_node_stays_until_its_last_lookup_is_taken_back(table: NodeTable) -> None:
    add(table, 5, 3)

    assert table.forget(5, 2) is None
    assert table.known(5) is not None


def test_with_its_last_lookup_a_node_goes(table: NodeTable) -> None:
    node = add(table, 5, 3)

    assert table.forget(5, 3) is node
    assert table.known(5) is None


def test_the_root_never_goes(table: NodeTable) -> None:
    assert table.forget(ROOT_NUMBER, 1000) is None
    assert table.find(ROOT_NUMBER) is table.root


def test_to_forget_what_is_not_known_changes_nothing(table: NodeTable) -> None:
    assert table.forget(99, 1) is None
    assert len(table) == 1


def test_those_that_came_first_are_passed_over_first(table: NodeTable) -> None:
    for number in (5, 6, 7):
        add(table, number, 1)

    assert [[node.number for node in table.pass_over(2)] for _ in range(3)] == [[1, 5], [6, 7], [1, 5]]


def test_more_are_passed_over_than_there_are(table: NodeTable) -> None:
    add(table, 5, 1)

    assert len(table.pass_over(100)) == 2
    assert len(table) == 2


def test_what_is_forgotten_and_comes_again_is_passed_over_late(table: NodeTable) -> None:
    for number in (5, 6):
        add(table, number, 1)
    table.forget(5, 1)
    add(table, 5, 1)

    assert [node.number for node in table.pass_over(3)] == [1, 6, 5]


@pytest.mark.usefixtures("hasty")
def test_what_is_passed_over_is_known_all_the_while(table: NodeTable) -> None:
    """Others look without the lock."""
    for number in range(5, 205):
        add(table, number, 1)
    over = threading.Event()

    def pass_over() -> None:
        while not over.is_set():
            table.pass_over(100)

    passing = threading.Thread(target=pass_over)
    passing.start()
    missed = [number for _ in range(500) for number in range(5, 205) if table.known(number) is None]
    over.set()
    passing.join()

    assert missed == []


def test_the_alarm_is_given_once(table: NodeTable) -> None:
    table.alarm_at = 2
    add(table, 5, 1)
    before = table.crowded.is_set()
    add(table, 6, 1)
    at = table.crowded.is_set()
    table.crowded.clear()
    add(table, 7, 1)

    assert (before, at, table.crowded.is_set()) == (False, True, False)


def test_the_most_and_the_forgotten_are_counted(table: NodeTable) -> None:
    for number in (5, 6):
        add(table, number, 1)
    table.forget(5, 1)
    add(table, 7, 1)

    assert (table.most, table.gone) == (3, 1)


def test_a_forgotten_directory_that_something_is_in_is_the_same_node_again(table: NodeTable) -> None:
    directory = add(table, 5, 1, is_directory=True)
    add(table, 6, 1).parent = directory
    table.forget(5, 1)

    assert table.known(5) is None
    assert table.revive(5) is directory
    assert table.find(5) is directory
    assert directory.lookups == 0


def test_a_forgotten_directory_that_nothing_is_in_is_gone(table: NodeTable) -> None:
    add(table, 5, 1, is_directory=True)
    table.forget(5, 1)
    gc.collect()  # which not every Python does by itself at once

    assert table.revive(5) is None
