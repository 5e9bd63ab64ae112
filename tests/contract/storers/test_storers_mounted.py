"""The storer without git on a mounted tree: it reads the tags that the tree shows of an avatar with git."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from katafs.errors import ReadOnlyStore
from katafs.namespace import Layout
from katafs.storers.git import GitStorer
from katafs.storers.plain import PlainStorer
from katafs.storers.storer import Delta
from katafs.volumes.tree_store import TreeStore
from tests.contract.storers.cells import KATA, MANIFEST, NOW, START


@pytest.fixture
def store(flat_tree: Path) -> Iterator[TreeStore]:
    """A mounted tree, in which git keeps an avatar that has run its tests."""
    with closing(TreeStore(flat_tree, Layout.FLAT)) as store:
        git = GitStorer(store)
        git.create_kata(MANIFEST)
        git.start_avatar(KATA, ["lion"])
        files = {**START, "é": "x\n"}
        git.sandbox_save(KATA, "lion", Delta(new=["é"]), files)
        git.avatar_ran_tests(KATA, "lion", files, NOW, "1 failed\n", "red")
        yield store
        git.delete_kata(KATA)


def test_its_tags_are_those_that_git_has(store: TreeStore) -> None:
    assert PlainStorer(store).tags(KATA, "lion") == GitStorer(store).tags(KATA, "lion")


def test_its_differences_are_those_that_git_finds(store: TreeStore) -> None:
    assert PlainStorer(store).tag_diff(KATA, "lion", 0, 1) == GitStorer(store).tag_diff(KATA, "lion", 0, 1)


def test_a_test_run_without_git_is_refused(store: TreeStore) -> None:
    with pytest.raises(ReadOnlyStore):
        PlainStorer(store).avatar_ran_tests(KATA, "lion", START, NOW, "", "green")


def test_a_refused_test_run_leaves_the_increments(store: TreeStore) -> None:
    with pytest.raises(ReadOnlyStore):
        PlainStorer(store).avatar_ran_tests(KATA, "lion", START, NOW, "", "green")
    assert len(GitStorer(store).avatar_increments(KATA, "lion")) == 1
