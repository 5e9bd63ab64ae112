"""The tree on stores of many volumes: what it asks of them for one kata is the same among few and among many."""

from collections import Counter
from typing import Any

import pytest

from katafs.config import TreeSettings
from katafs.namespace import Layout
from katafs.tree.tree import Tree
from katafs.volumes.memory import MemoryStore
from tests.harness.waiting import until
from tests.unit.kernel import ROOT, Kernel

KATA, AVATAR = "123456789A", "123456789A_lion"
FEW, MANY = 20, 2000


class CountingStore:
    """Counts what is asked of a store, by the method's name."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the store has
        self.asked[name] += 1
        return getattr(self._store, name)


def among(store: MemoryStore, volumes: int, layout: Layout) -> tuple[CountingStore, Kernel]:
    """A tree of a kata with an avatar's volume, among so many others."""
    for name in (KATA, AVATAR, *(f"{number:010X}" for number in range(volumes))):
        (store.path / name).mkdir()
    (store.path / KATA / "manifest.json").write_text("{}")
    until(lambda: store.catalog().count() == volumes + 1, "the store to know of all")
    counting = CountingStore(store)
    return counting, Kernel(Tree(counting, TreeSettings(layout=layout)))


def asked_for_one_kata(volumes: int, layout: Layout) -> Counter[str]:
    """What is asked of the store when a kata is looked up, listed and read."""
    store = MemoryStore()
    counting, tree = among(store, volumes, layout)
    kata = KATA.encode() if layout is Layout.FLAT else b"12/3456789A"
    counting.asked.clear()
    tree.read(kata + b"/manifest.json")
    listed, inside = tree.names(kata), tree.names(kata + b"/lion")
    asked = counting.asked.copy()
    tree.tree.close()
    store.close()
    assert (listed, inside) == ([b"lion", b"manifest.json"], [b"sandbox"])
    return asked


@pytest.mark.parametrize("layout", Layout)
def test_what_is_asked_for_one_kata_does_not_depend_on_how_many_there_are(own_process: None, layout: Layout) -> None:
    few = asked_for_one_kata(FEW, layout)

    assert asked_for_one_kata(MANY, layout) == few
    assert few.total() > 0


def test_a_listing_of_all_katas_streams(own_process: None, store: MemoryStore) -> None:
    """The first of them come before the last are looked at."""
    counting, tree = among(store, MANY, Layout.FLAT)
    handle = tree.tree.directories.open(ROOT)
    counting.asked.clear()
    first = tree.listed(handle, room=12)
    opened = counting.asked["open"]
    rest = tree.listed(handle, first[-1].following)
    tree.tree.directories.release(handle)
    tree.tree.close()

    assert len(first) + len(rest) == MANY + 1 + 2
    assert opened == 10  # all but the dots
    assert counting.asked["open"] == MANY + 1
