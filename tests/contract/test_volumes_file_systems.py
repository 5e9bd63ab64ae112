"""Stores on other file systems than ext4: what others make shows."""

from contextlib import closing
from pathlib import Path

import pytest

from katafs.namespace import Layout
from katafs.rooted.inodes import is_settled
from katafs.volumes.directories import DirectoryStore
from katafs.volumes.tree_store import TreeStore
from tests.contract.names import KATA, OTHER
from tests.harness import waiting
from tests.harness.other_disks import KINDS, disk_of


@pytest.mark.parametrize("kind", KINDS)
def test_a_volume_made_behind_a_directory_store_shows(disk: Path, kind: str) -> None:
    with disk_of(kind, disk / "other") as other, closing(DirectoryStore(other)) as store:
        (other / KATA).mkdir()
        # From then on it is listed once.
        waiting.until(lambda: is_settled(other.stat()), "the clock's next ticks")
        waiting.until(lambda: KATA in store.catalog(), "a volume that was made")


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("kind", KINDS)
def test_a_kata_made_behind_a_tree_store_shows_at_once(disk: Path, kind: str, layout: Layout) -> None:
    with disk_of(kind, disk / "other") as other, closing(TreeStore(other, layout)) as store:
        for kata in (KATA, OTHER):
            assert kata not in store.catalog().names()
            (other / kata if layout is Layout.FLAT else other / kata[:2] / kata[2:]).mkdir(parents=True)
            assert kata in store.catalog().names()
