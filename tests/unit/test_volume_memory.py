"""The memory store's own promises: nothing left behind, and faults on demand."""

from collections.abc import Callable, Iterator

import pytest

from katafs.errors import StoreUnreachable
from katafs.kata_id import VolumeName
from katafs.volumes.memory import MemoryStore

KATA = VolumeName("123456789A")

FAULT = "told to fail"


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    """A store with one volume."""
    store = MemoryStore()
    store.create(KATA)
    yield store
    store.heal()
    store.close()


def test_nothing_is_left_behind() -> None:
    store = MemoryStore()
    store.create(KATA)
    store.close()
    assert not store.path.exists()


@pytest.mark.usefixtures("store")
def test_two_stores_share_nothing() -> None:
    other = MemoryStore()
    names = other.catalog().names()
    other.close()
    assert names == frozenset()


@pytest.mark.parametrize("question", [MemoryStore.exists, MemoryStore.open, MemoryStore.create, MemoryStore.remove])
def test_told_to_fail_it_does(store: MemoryStore, question: Callable[[MemoryStore, VolumeName], object]) -> None:
    store.fail(StoreUnreachable(FAULT))
    with pytest.raises(StoreUnreachable, match=FAULT):
        question(store, KATA)
    assert store.fault() == FAULT


def test_it_may_be_told_to_fail_as_a_full_disk_does(store: MemoryStore) -> None:
    store.fail(OSError(28, "No space left on device"))
    with pytest.raises(OSError, match="No space"):
        store.create(KATA)


def test_while_it_fails_the_catalog_is_what_was_known_last(store: MemoryStore) -> None:
    store.fail(StoreUnreachable(FAULT))
    assert store.catalog().names() == {KATA}


def test_healed_it_answers_again(store: MemoryStore) -> None:
    store.fail(StoreUnreachable(FAULT))
    store.heal()
    assert store.exists(KATA)
