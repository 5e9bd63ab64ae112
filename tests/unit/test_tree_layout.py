"""Which layout a tree of katas has."""

from pathlib import Path

import pytest

from katafs.errors import StoreUnreachable
from katafs.namespace import Layout
from katafs.volumes.tree_layout import layout_of


def test_a_tree_with_a_kata_is_flat(disk: Path) -> None:
    (disk / "123456789A").mkdir()

    assert layout_of(disk) is Layout.FLAT


def test_a_tree_with_an_outer_directory_is_split(disk: Path) -> None:
    (disk / "12" / "3456789A").mkdir(parents=True)

    assert layout_of(disk) is Layout.SPLIT


def test_a_stray_outer_directory_leaves_a_tree_flat(disk: Path) -> None:
    for name in ("12", "123456789A", "FF"):
        (disk / name).mkdir()

    assert layout_of(disk) is Layout.FLAT


def test_a_link_to_a_kata_leaves_a_tree_split(disk: Path) -> None:
    (disk / "12" / "3456789A").mkdir(parents=True)
    (disk / "123456789A").symlink_to("12/3456789A")

    assert layout_of(disk) is Layout.SPLIT


def test_a_stray_directory_named_like_a_kata_leaves_a_tree_split(disk: Path) -> None:
    (disk / "12" / "3456789A").mkdir(parents=True)
    for name in ("EE", "EEEEEEEEEE"):
        (disk / name).mkdir()

    assert layout_of(disk) is Layout.SPLIT


def test_a_stray_directory_where_the_other_layout_has_a_kata_leaves_a_tree_flat(disk: Path) -> None:
    (disk / "123456789A").mkdir()
    (disk / "12").mkdir()
    (disk / "12" / "3456789A").symlink_to("../123456789A")  # as a mount of that layout has it
    (disk / "EE" / "EEEEEEEE").mkdir(parents=True)

    assert layout_of(disk) is Layout.FLAT


@pytest.mark.parametrize("name", ["", "missing", "file"])
def test_what_is_no_tree_of_katas_is_unreachable(disk: Path, name: str) -> None:
    (disk / "file").write_text("x")

    with pytest.raises(StoreUnreachable):
        layout_of(disk / name)
