"""The inodes that the kernel remembers."""

import errno

import pytest

from katafs.namespace import PLAIN, ROOT
from katafs.tree.nodes import ROOT_NUMBER, Node, NodeTable
from tests.harness.refusals import refused


@pytest.fixture
def table() -> NodeTable:
    """A table with nothing but the root."""
    return NodeTable(Node(ROOT_NUMBER, ROOT, None, None, b"", None, is_directory=True))


def add(table: NodeTable, number: int, lookups: int) -> Node:
    node = Node(number, PLAIN, None, table.root, b"f", (1, number), is_directory=False, lookups=lookups)
    table.add(node)
    return node


def test_a_node_is_found_by_its_number(table: NodeTable) -> None:
    assert table[add(table, 5, 1).number].name == b"f"


def test_a_number_that_is_not_in_use_is_stale(table: NodeTable) -> None:
    with refused(errno.ESTALE):
        table[5]


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
    assert table[ROOT_NUMBER] is table.root


def test_to_forget_what_is_not_known_changes_nothing(table: NodeTable) -> None:
    assert table.forget(99, 1) is None
    assert len(table) == 1
