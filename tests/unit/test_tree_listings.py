"""The tree without a mount: what listings show."""

import os

import pytest

from katafs.namespace import Layout
from katafs.volumes.memory import MemoryStore
from tests.unit.conftest import Trees
from tests.unit.kernel import ROOT, Kernel, volume_behind


@pytest.fixture
def katas(store: MemoryStore) -> MemoryStore:
    """A store with three katas, an avatar's volume of a fourth, and volumes that are none of ours."""
    for name in ("mysql", "123456789A_unicorn"):
        (store.path / name).mkdir()
    for name in ("123456789A", "12AAAAAAAA", "FF00000000", "ABABABABAB_lion"):
        volume_behind(store, name)
    return store


def test_a_flat_tree_lists_katas(tree_of: Trees, katas: MemoryStore) -> None:
    assert tree_of().names(b"") == [b"123456789A", b"12AAAAAAAA", b"ABABABABAB", b"FF00000000"]


def test_a_split_tree_lists_outer_directories(tree_of: Trees, katas: MemoryStore) -> None:
    tree = tree_of(layout=Layout.SPLIT)

    assert tree.names(b"") == [b"12", b"AB", b"FF"]
    assert tree.names(b"12") == [b"3456789A", b"AAAAAAAA"]


def test_aliases_are_not_listed(tree_of: Trees, katas: MemoryStore) -> None:
    assert tree_of().names(b"12") == []


def test_a_kata_of_which_only_an_avatars_volume_exists_is_shown(tree_of: Trees, katas: MemoryStore) -> None:
    tree = tree_of()

    assert (tree.names(b"ABABABABAB"), tree.names(b"ABABABABAB/lion")) == ([b"lion"], [b"sandbox"])


@pytest.mark.parametrize("layout", Layout)
def test_strays_are_listed_among_them(tree_of: Trees, katas: MemoryStore, layout: Layout) -> None:
    tree = tree_of(layout=layout)
    tree.write(b"readme.txt", b"")
    tree.mkdir(b"123456789a")

    assert {b"readme.txt", b"123456789a"} < set(tree.names(b""))


def test_a_name_that_is_a_volume_and_in_the_root_volume_too_is_listed_once(tree_of: Trees, katas: MemoryStore) -> None:
    (katas.path / "katafs_root").mkdir()
    (katas.path / "katafs_root" / "123456789A").mkdir()

    assert tree_of().names(b"").count(b"123456789A") == 1


@pytest.mark.parametrize("layout", Layout)
def test_listed_numbers_are_those_of_a_lookup(tree_of: Trees, katas: MemoryStore, layout: Layout) -> None:
    tree = tree_of(layout=layout)
    tree.write(b"readme.txt", b"")
    listed = {name: told.number for name, told in tree.entries(b"").items() if name not in (b".", b"..")}

    assert listed == {name: tree.lookup(name).number for name in listed}


def test_dot_and_dot_dot_have_numbers(tree_of: Trees, katas: MemoryStore) -> None:
    tree = tree_of()
    kata, top = tree.entries(b"123456789A"), tree.entries(b"")

    assert (kata[b"."].number, kata[b".."].number) == (tree.lookup(b"123456789A").number, ROOT)
    assert (top[b"."].number, top[b".."].number) == (ROOT, ROOT)


def test_a_listing_goes_on_where_it_stopped(tree: Kernel) -> None:
    for number in range(10):
        tree.write(b"%d" % number, b"")
    directories = tree.tree.directories
    handle = directories.open(ROOT)
    seen: list[bytes] = []
    following = 0
    while taken := next(directories.entries(handle, following), None):
        name, told, following = taken
        if name not in (b".", b".."):
            directories.accepted(told.number)
        seen.append(name)
    directories.release(handle)

    assert sorted(seen) == sorted([b".", b"..", *(b"%d" % number for number in range(10))])


def test_a_listing_does_not_show_a_name_twice_while_names_come_and_go(tree: Kernel) -> None:
    for number in range(10):
        tree.write(b"%d" % number, b"")
    directories = tree.tree.directories
    handle = directories.open(ROOT)
    seen = []
    for index, (name, told, _) in enumerate(directories.entries(handle, 0)):
        if name not in (b".", b".."):
            directories.accepted(told.number)
            seen.append(name)
            tree.unlink(name)
            tree.write(b"new%d" % index, b"")
    directories.release(handle)

    assert sorted(seen) == [b"%d" % number for number in range(10)]


def test_a_rewound_listing_is_taken_anew(tree: Kernel) -> None:
    directories = tree.tree.directories
    handle = directories.open(ROOT)
    list(directories.entries(handle, 0))
    tree.write(b"new", b"")
    names = [name for name, _, _ in directories.entries(handle, 0)]
    directories.release(handle)

    assert b"new" in names


def test_the_links_of_a_directory_count_katas(tree_of: Trees, katas: MemoryStore) -> None:
    tree = tree_of(layout=Layout.SPLIT)

    assert tree.lookup(b"12").links == 4


def test_names_that_are_not_text_are_listed(tree: Kernel, store: MemoryStore) -> None:
    (store.path / "katafs_root" / os.fsdecode(b"\xff\xfe")).touch()

    assert tree.names(b"") == [b"\xff\xfe"]
