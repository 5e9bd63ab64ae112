"""Copies of trees from ext4 to other file systems, and back: what those have of their own is no part of a tree."""

import os
from pathlib import Path

import pytest

from katafs.rooted.comparing import differences
from katafs.rooted.copying import copy_tree
from tests.harness.descriptors import held
from tests.harness.odd_trees import acl, described, make_odd_tree
from tests.harness.other_disks import KINDS, disk_of

COMPRESSION = "btrfs.compression"


def copy(source: Path, target: Path) -> None:
    with held(source) as left, held(target) as right:
        copy_tree(left, right)


def differing(left: Path, right: Path) -> list[str]:
    with held(left) as ours, held(right) as theirs:
        return list(differences(ours, theirs))


@pytest.mark.parametrize("kind", KINDS)
def test_a_tree_goes_to_another_file_system_and_back(disk: Path, source: Path, target: Path, kind: str) -> None:
    make_odd_tree(source)
    before = described(source, atimes=False)

    with disk_of(kind, disk / "other") as other:
        (other / "copy").mkdir()
        os.setxattr(other / "copy", "system.posix_acl_default", acl(99, 7))
        copy(source, other / "copy")
        assert differing(source, other / "copy") == []
        copy(other / "copy", target)
        assert differing(other / "copy", target) == []

    assert described(target, atimes=False) == before


def test_what_btrfs_is_to_compress_goes_by_where_a_file_is(disk: Path, source: Path, target: Path) -> None:
    (source / "f").write_bytes(b"content")

    with disk_of("btrfs", disk / "other") as other:
        (other / "copy").mkdir()
        os.setxattr(other / "copy", COMPRESSION, b"zstd")
        copy(source, other / "copy")
        assert os.getxattr(other / "copy" / "f", COMPRESSION) == b"zstd"
        assert differing(source, other / "copy") == []
        copy(other / "copy", target)

    assert (target / "f").read_bytes() == b"content"
