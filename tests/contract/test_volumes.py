"""What every store of volumes promises to one user of it."""

import errno
import os
import stat

import pytest

from katafs.kata_id import ROOT_VOLUME, AvatarName, KataId, VolumeName
from katafs.volumes.store import VolumeStore
from tests.contract.names import KATA, LION, OTHER


def test_a_store_without_volumes_has_none(store: VolumeStore) -> None:
    assert store.catalog().names() == frozenset()


def test_a_store_that_answers_has_no_fault(store: VolumeStore) -> None:
    assert store.fault() is None


@pytest.mark.parametrize("name", [KATA, LION, ROOT_VOLUME])
def test_a_created_volume_exists(store: VolumeStore, name: VolumeName) -> None:
    store.create(name)
    assert store.exists(name)


@pytest.mark.parametrize("name", [KATA, LION, ROOT_VOLUME])
def test_a_created_volume_is_in_the_catalog_at_once(store: VolumeStore, name: VolumeName) -> None:
    store.create(name)
    assert store.catalog().names() == {name}


def test_the_catalog_finds_a_kata_by_its_outer_part(store: VolumeStore) -> None:
    store.create(OTHER)
    store.create(KATA)
    assert store.catalog().katas_in("12") == [KataId(KATA), KataId(OTHER)]


def test_the_catalog_finds_an_avatars_volume(store: VolumeStore) -> None:
    store.create(LION)
    assert store.catalog().avatars_of(KataId(KATA)) == [AvatarName("lion")]


def test_a_volume_not_created_does_not_exist(store: VolumeStore) -> None:
    assert not store.exists(KATA)


def test_creating_what_exists_is_refused(store: VolumeStore) -> None:
    store.create(KATA)
    with pytest.raises(FileExistsError):
        store.create(KATA)


def test_creating_what_exists_leaves_it_as_it_is(store: VolumeStore) -> None:
    store.create(KATA)
    write(store, KATA, "file")
    with pytest.raises(FileExistsError):
        store.create(KATA)
    assert listed(store, KATA) == ["file"]


def test_a_name_that_is_no_volumes_is_refused(store: VolumeStore) -> None:
    with pytest.raises(ValueError, match="not the name of a volume"):
        store.create(VolumeName("../123456789A"))


def test_a_new_volume_is_empty(store: VolumeStore) -> None:
    store.create(KATA)
    assert listed(store, KATA) == []


def test_a_new_volume_may_be_read_by_all_and_written_by_its_owner(store: VolumeStore) -> None:
    store.create(KATA)
    fd = store.open(KATA)
    found = os.fstat(fd)
    os.close(fd)
    assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o755, os.geteuid())


def test_open_gives_a_descriptor_that_only_names_the_directory(store: VolumeStore) -> None:
    store.create(KATA)
    fd = store.open(KATA)
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        os.listdir(fd)
    os.close(fd)
    assert caught.value.errno == errno.EBADF


def test_two_opens_reach_the_same_directory(store: VolumeStore) -> None:
    store.create(KATA)
    first, second = store.open(KATA), store.open(KATA)
    same = os.path.sameopenfile(first, second)
    os.close(first)
    os.close(second)
    assert same


def test_open_of_a_missing_volume_is_file_not_found(store: VolumeStore) -> None:
    with pytest.raises(FileNotFoundError):
        store.open(KATA)


def test_a_removed_volume_is_gone(store: VolumeStore) -> None:
    store.create(KATA)
    store.remove(KATA)
    assert not store.exists(KATA)


def test_a_removed_volume_leaves_the_catalog_at_once(store: VolumeStore) -> None:
    store.create(KATA)
    store.remove(KATA)
    assert not store.catalog().has_kata(KataId(KATA))


def test_a_removed_volume_can_be_created_again(store: VolumeStore) -> None:
    store.create(KATA)
    store.remove(KATA)
    store.create(KATA)
    assert store.exists(KATA)


def test_removing_a_volume_that_is_not_empty_is_refused(store: VolumeStore) -> None:
    store.create(KATA)
    write(store, KATA, "file")
    with pytest.raises(OSError, match="not empty") as caught:
        store.remove(KATA)
    assert caught.value.errno == errno.ENOTEMPTY


def test_a_volume_that_is_not_empty_survives_its_removal(store: VolumeStore) -> None:
    store.create(KATA)
    write(store, KATA, "file")
    with pytest.raises(OSError, match="not empty"):
        store.remove(KATA)
    assert listed(store, KATA) == ["file"]


def test_removing_a_missing_volume_is_file_not_found(store: VolumeStore) -> None:
    with pytest.raises(FileNotFoundError):
        store.remove(KATA)


def test_a_volume_no_container_uses_is_not_in_use(store: VolumeStore) -> None:
    store.create(KATA)
    assert not store.in_use(KATA)


def test_the_location_names_the_volume(store: VolumeStore) -> None:
    kind, _, source = store.location(KATA).partition(",source=")
    assert kind in ("type=bind", "type=volume")
    assert source.endswith(KATA)


def test_a_store_may_be_closed_twice(store: VolumeStore) -> None:
    store.close()
    store.close()


def write(store: VolumeStore, name: VolumeName, file: str) -> None:
    """Put an empty file into a volume."""
    fd = store.open(name)
    os.close(os.open(file, os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)


def listed(store: VolumeStore, name: VolumeName) -> list[str]:
    """The names in a volume."""
    fd = store.open(name)
    readable = os.open(".", os.O_RDONLY, dir_fd=fd)
    names = os.listdir(readable)
    os.close(readable)
    os.close(fd)
    return names


def test_volumes_are_on_the_disk_of_the_root_volume(store: VolumeStore) -> None:
    store.create(ROOT_VOLUME)
    store.create(KATA)

    assert store.disk_of(ROOT_VOLUME) is None
    assert store.disk_of(KATA) is None
    assert store.disk_of(OTHER) is None
