"""Whole trees, surveyed, copied and compared: random ones, one with everything in it, and the real katas."""

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from katafs.rooted.comparing import differences
from katafs.rooted.copying import copy_tree
from katafs.rooted.surveys import survey
from tests.harness import needs, real_katas
from tests.harness.descriptors import held
from tests.harness.odd_trees import described, make_odd_tree
from tests.harness.places import fresh_directory, remove_directory


def _pair(disk: Path) -> tuple[Path, Path]:
    source, target = disk / "source", disk / "target"
    source.mkdir()
    target.mkdir()
    return source, target


def test_a_copy_of_everything_is_the_same_and_the_source_is_as_it_was(disk: Path) -> None:
    needs.root()
    source, target = _pair(disk)
    make_odd_tree(source)
    before = described(source)
    with held(source) as left, held(target) as right:
        surveyed = survey(left)
        copy_tree(left, right)

        assert described(target) == before
        assert list(differences(left, right)) == []
        assert survey(left) == surveyed


@pytest.mark.parametrize("name", real_katas.SETS)
def test_a_copy_of_real_katas_is_the_same(disk: Path, name: str) -> None:
    source, target = _pair(disk)
    real_katas.unpack(name, source)
    with held(source) as left, held(target) as right:
        surveyed = survey(left)
        copy_tree(left, right)

        assert list(differences(left, right)) == []
        assert survey(left) == surveyed
        assert surveyed.entries == len(described(source)) - 1


_NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: not {*name} & {0, 0x2F} and name not in (b".", b".."))
_TREES = st.recursive(
    st.binary(max_size=40) | st.integers(0, 0o7777) | st.text("ab/.", min_size=1, max_size=8),
    lambda inner: st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)


def _make(path: bytes, tree: object, made: list[bytes]) -> None:
    """A dictionary is a directory, bytes are a file, text is a symbolic link, and a number is the mode of a file that
    has one more name if it is even."""
    if isinstance(tree, dict):
        os.mkdir(path)
        for name, inner in tree.items():
            _make(os.path.join(path, name), inner, made)
    elif isinstance(tree, str):
        os.symlink(tree, path)
    elif isinstance(tree, int) and made and tree % 2 == 0:
        os.link(made[tree % len(made)], path)
    else:
        with open(path, "wb") as file:
            file.write(tree if isinstance(tree, bytes) else b"")
        os.chmod(path, tree if isinstance(tree, int) else 0o644)
        made.append(path)


@given(st.dictionaries(_NAMES, _TREES, max_size=4), st.integers(0, 2**62))
def test_any_tree_is_copied_and_a_copy_that_lost_something_differs(trees: dict[bytes, object], chosen: int) -> None:
    needs.root()
    disk = fresh_directory()
    with contextlib.ExitStack() as afterwards:
        afterwards.callback(remove_directory, disk)
        source, target = disk / "source", disk / "target"
        target.mkdir()
        _make(os.fsencode(source), trees, [])
        before = described(source)
        left, right = afterwards.enter_context(held(source)), afterwards.enter_context(held(target))

        assert survey(left).entries == len(before) - 1
        copy_tree(left, right)
        assert described(target) == before
        assert list(differences(left, right)) == []

        path = sorted(before)[chosen % len(before)]
        os.utime(os.path.join(os.fsencode(target), path), ns=(1, 1), follow_symlinks=False)
        lines = list(differences(left, right))
        assert lines
        assert all("mtime_ns" in line for line in lines)
