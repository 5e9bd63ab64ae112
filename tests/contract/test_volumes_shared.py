"""What every store promises when it isn't the only one that changes its volumes."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from katafs.kata_id import VolumeName
from katafs.volumes.store import VolumeStore
from tests.contract.conftest import Place
from tests.contract.names import KATA, OTHER
from tests.harness import waiting

Stores = Callable[..., VolumeStore]

RACERS = 8


def test_what_exists_from_before_is_found(place: Place, stores: Stores) -> None:
    place.make_behind(KATA)
    assert stores().catalog().names() == {KATA}


def test_a_volume_made_behind_it_shows(store: VolumeStore, place: Place) -> None:
    place.make_behind(KATA)
    waiting.until(lambda: KATA in store.catalog(), "the volume to be in the catalog")


def test_a_volume_made_behind_it_exists(store: VolumeStore, place: Place) -> None:
    place.make_behind(KATA)
    waiting.until(lambda: store.exists(KATA), "the volume to exist")


def test_a_volume_made_behind_it_can_be_opened(store: VolumeStore, place: Place) -> None:
    place.make_behind(KATA)
    waiting.until(lambda: store.exists(KATA), "the volume to exist")
    os.close(store.open(KATA))


def test_a_volume_removed_behind_it_leaves_the_catalog(store: VolumeStore, place: Place) -> None:
    store.create(KATA)
    place.remove_behind(KATA)
    waiting.until(lambda: KATA not in store.catalog(), "the volume to leave the catalog")


def test_a_volume_removed_behind_it_no_longer_exists(store: VolumeStore, place: Place) -> None:
    store.create(KATA)
    place.remove_behind(KATA)
    waiting.until(lambda: not store.exists(KATA), "the volume to be gone")


def test_a_volume_removed_behind_it_can_not_be_opened(store: VolumeStore, place: Place) -> None:
    store.create(KATA)
    place.remove_behind(KATA)
    with pytest.raises(FileNotFoundError):
        store.open(KATA)


def test_a_volume_removed_behind_it_can_be_created_again(store: VolumeStore, place: Place) -> None:
    store.create(KATA)
    place.remove_behind(KATA)
    store.create(KATA)
    os.close(store.open(KATA))


def test_a_volume_removed_behind_it_can_not_be_removed_again(store: VolumeStore, place: Place) -> None:
    store.create(KATA)
    place.remove_behind(KATA)
    with pytest.raises(FileNotFoundError):
        store.remove(KATA)


@pytest.mark.parametrize("stranger", ["nokata", "123456789", "123456789a", "123456789A_cat", "123456789A_lion_cub"])
def test_what_is_not_named_like_a_volume_is_ignored(place: Place, stores: Stores, stranger: str) -> None:
    place.make_behind(stranger)
    place.make_behind(KATA)
    assert stores().catalog().names() == {KATA}


def test_another_store_sees_a_created_volume(stores: Stores) -> None:
    maker, watcher = stores(), stores()
    maker.create(KATA)
    waiting.until(lambda: KATA in watcher.catalog(), "the other store to have the volume")


def test_another_store_can_not_create_it_again(stores: Stores) -> None:
    maker, second = stores(), stores()
    maker.create(KATA)
    with pytest.raises(FileExistsError):
        second.create(KATA)


def test_a_prefix_hides_other_prefixes_volumes(stores: Stores) -> None:
    stores("one-").create(KATA)
    assert stores("two-").catalog().names() == frozenset()


def test_one_name_under_two_prefixes_is_two_volumes(stores: Stores) -> None:
    first, second = stores("one-"), stores("two-")
    first.create(KATA)
    second.create(KATA)
    one, two = first.open(KATA), second.open(KATA)
    same = os.path.sameopenfile(one, two)
    os.close(one)
    os.close(two)
    assert not same


def test_a_prefix_is_in_the_location(stores: Stores) -> None:
    assert stores("one-").location(KATA).endswith("one-123456789A")


def test_of_threads_that_create_the_same_volume_one_wins(store: VolumeStore) -> None:
    with ThreadPoolExecutor(RACERS) as pool:
        outcomes = list(pool.map(lambda _: created(store, KATA), range(RACERS)))
    assert outcomes.count(True) == 1


def test_of_stores_that_create_the_same_volume_one_wins(stores: Stores) -> None:
    racers = [stores() for _ in range(RACERS)]
    with ThreadPoolExecutor(RACERS) as pool:
        outcomes = list(pool.map(lambda racer: created(racer, KATA), racers))
    assert outcomes.count(True) == 1


def test_of_threads_that_remove_the_same_volume_one_wins(store: VolumeStore) -> None:
    store.create(KATA)
    with ThreadPoolExecutor(RACERS) as pool:
        outcomes = list(pool.map(lambda _: removed(store, KATA), range(RACERS)))
    assert outcomes.count(True) == 1


def test_the_catalog_is_right_after_creations_and_removals_from_many_threads(store: VolumeStore) -> None:
    names = [VolumeName(f"{number:010X}") for number in range(32)]
    with ThreadPoolExecutor(RACERS) as pool:
        list(pool.map(store.create, names))
        list(pool.map(store.remove, names[::2]))
    waiting.until(lambda: store.catalog().names() == set(names[1::2]), "the catalog to have what is left")


def test_what_it_created_stays_in_the_catalog_while_others_change_too(store: VolumeStore, place: Place) -> None:
    store.create(KATA)
    place.make_behind(OTHER)
    seen = set()

    def other_shows() -> bool:
        seen.add(KATA in store.catalog())
        return OTHER in store.catalog()

    waiting.until(other_shows, "the other volume to be in the catalog")
    assert seen == {True}


def created(store: VolumeStore, name: VolumeName) -> bool:
    """Whether this call made the volume."""
    try:
        store.create(name)
    except FileExistsError:
        return False
    return True


def removed(store: VolumeStore, name: VolumeName) -> bool:
    """Whether this call removed the volume."""
    try:
        store.remove(name)
    except FileNotFoundError:
        return False
    return True
