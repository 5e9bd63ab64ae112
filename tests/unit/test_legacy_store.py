"""A store and an old disk as one: the disk comes first, and nothing but a conversion may change what stands on it."""

import errno
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from katafs.kata_id import ROOT_VOLUME, AvatarName, KataId, VolumeName
from katafs.volumes.directories import DirectoryStore
from katafs.volumes.legacy_disk import LegacyDisk, piece_of
from katafs.volumes.legacy_store import LegacyStore
from tests.harness.refusals import refused

ON_DISK, IN_BOTH, IN_STORE = (VolumeName(name) for name in ("1200000000", "1211111111", "1222222222"))
NOWHERE = VolumeName("FFFFFFFFFF")
LION = VolumeName("AB00000000_lion")


@pytest.fixture
def store(disk: Path) -> Iterator[LegacyStore]:
    """One kata in each of the ways in which one may be there, and an avatar's volume alone."""
    for kata in (ON_DISK, IN_BOTH):
        (disk / "old" / kata[:2] / kata[2:]).mkdir(parents=True)
    for volume in (IN_BOTH, IN_STORE, LION, ROOT_VOLUME):
        (disk / "volumes" / volume).mkdir(parents=True)
    with closing(DirectoryStore(disk / "volumes")) as volumes, closing(LegacyDisk(disk / "old")) as old:
        yield LegacyStore(volumes, old)


def _place(store: LegacyStore, name: VolumeName) -> Path:
    descriptor = store.open(name)
    try:
        return Path(os.readlink(f"/proc/self/fd/{descriptor}"))
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("name", [ON_DISK, IN_BOTH])
def test_what_stands_on_the_disk_is_served_from_there(store: LegacyStore, disk: Path, name: VolumeName) -> None:
    assert store.exists(name)
    assert _place(store, name) == disk / "old" / name[:2] / name[2:]
    assert store.piece(name) == piece_of(KataId(name))
    assert store.location(name) == f"type=bind,source={disk}/old/{name[:2]}/{name[2:]},readonly"


@pytest.mark.parametrize("name", [IN_STORE, LION, ROOT_VOLUME])
def test_all_else_is_served_from_the_store(store: LegacyStore, disk: Path, name: VolumeName) -> None:
    assert store.exists(name)
    assert _place(store, name) == disk / "volumes" / name
    assert store.piece(name) is None
    assert store.location(name) == f"type=bind,source={disk}/volumes/{name}"


def test_what_leaves_the_disk_is_served_from_its_volume_at_once(store: LegacyStore, disk: Path) -> None:
    assert _place(store, IN_BOTH).is_relative_to(disk / "old")
    (disk / "old" / "12" / "11111111").rmdir()
    assert _place(store, IN_BOTH) == disk / "volumes" / IN_BOTH


def test_what_is_nowhere_is_not_found(store: LegacyStore) -> None:
    assert not store.exists(NOWHERE)
    with pytest.raises(FileNotFoundError):
        store.open(NOWHERE)


@pytest.mark.parametrize("name", [ON_DISK, IN_BOTH, IN_STORE])
def test_what_is_there_cannot_be_created(store: LegacyStore, name: VolumeName) -> None:
    with pytest.raises(FileExistsError):
        store.create(name)


@pytest.mark.parametrize("name", [ON_DISK, IN_BOTH])
def test_what_stands_on_the_disk_cannot_be_removed(store: LegacyStore, disk: Path, name: VolumeName) -> None:
    with refused(errno.EROFS):
        store.remove(name)
    assert (disk / "old" / name[:2] / name[2:]).is_dir()


def test_a_volume_can_be_removed(store: LegacyStore, disk: Path) -> None:
    store.remove(IN_STORE)
    assert not (disk / "volumes" / IN_STORE).exists()


def test_the_catalog_has_both_and_each_once(store: LegacyStore) -> None:
    catalog = store.catalog()
    assert catalog.names() == {ON_DISK, IN_BOTH, IN_STORE, LION, ROOT_VOLUME}
    katas = [KataId(volume) for volume in (ON_DISK, IN_BOTH, IN_STORE)]
    assert catalog.katas_in("12") == katas
    assert catalog.katas() == [*katas, KataId("AB00000000")]
    assert catalog.distinct_count() == 4
    assert catalog.outers() == ["12", "AB"]
    assert catalog.avatars_of(KataId("AB00000000")) == [AvatarName("lion")]
    assert all(name in catalog for name in (ON_DISK, IN_BOTH, IN_STORE, LION))
    assert NOWHERE not in catalog
    assert catalog.has_kata(KataId(ON_DISK))
    assert not catalog.has_kata(KataId(NOWHERE))


def test_a_directory_without_katas_is_no_outer_one_of_the_catalog(store: LegacyStore, disk: Path) -> None:
    (disk / "old" / "CD").mkdir()
    assert store.catalog().outers() == ["12", "AB"]
