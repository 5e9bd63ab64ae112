"""The tree without a mount: what listings show."""

import errno
import os
from collections.abc import Sequence

import pytest

from katafs.fuse.replies import Entries
from katafs.kata_id import VolumeName
from katafs.mount.operations import Operations
from katafs.namespace import Layout
from katafs.rooted import names
from katafs.tree.attributes import Attributes
from katafs.volumes.memory import MemoryStore
from tests.harness.refusals import refused
from tests.harness.waiting import until
from tests.unit.conftest import Trees
from tests.unit.kernel import ROOT, Kernel, Reply, volume_behind


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
    handle = tree.tree.directories.open(ROOT)
    seen: list[bytes] = []
    following = 0
    while taken := tree.listed(handle, following, room=3):
        following = taken[-1].following
        seen += [each.name for each in taken]
    tree.tree.directories.release(handle)

    assert sorted(seen) == sorted([b".", b"..", *(b"%d" % number for number in range(10))])


def test_a_listing_does_not_show_a_name_twice_while_names_come_and_go(tree: Kernel) -> None:
    for number in range(10):
        tree.write(b"%d" % number, b"")
    handle = tree.tree.directories.open(ROOT)
    seen = []
    following = 0
    while taken := tree.listed(handle, following, room=1):
        ((name, _, following),) = taken
        if name not in (b".", b".."):
            seen.append(name)
            tree.unlink(name)
            tree.write(b"new%d" % following, b"")
    tree.tree.directories.release(handle)

    assert sorted(seen) == [b"%d" % number for number in range(10)]


def test_a_rewound_listing_is_taken_anew(tree: Kernel) -> None:
    handle = tree.tree.directories.open(ROOT)
    tree.listed(handle)
    tree.write(b"new", b"")
    names = [each.name for each in tree.listed(handle)]
    tree.tree.directories.release(handle)

    assert b"new" in names


def test_the_links_of_a_directory_count_katas(tree_of: Trees, katas: MemoryStore) -> None:
    tree = tree_of(layout=Layout.SPLIT)

    assert tree.lookup(b"12").links == 4


def test_names_that_are_not_text_are_listed(tree: Kernel, store: MemoryStore) -> None:
    (store.path / "katafs_root" / os.fsdecode(b"\xff\xfe")).touch()

    assert tree.names(b"") == [b"\xff\xfe"]


def test_a_sandbox_that_cannot_be_served_has_a_number_of_its_own(tree: Kernel, store: MemoryStore) -> None:
    """Its avatar's directory is called for by the same volume."""
    (store.path / "123456789A_lion").touch()
    until(lambda: VolumeName("123456789A_lion") in store.catalog(), "the store to know of the volume")
    lion = tree.lookup(b"123456789A/lion").number

    assert tree.entries(b"123456789A/lion")[b"sandbox"].number != lion


def test_a_forget_while_a_reply_is_filled_takes_back_older_lookups_only(tree: Kernel) -> None:
    """Another thread reads on meanwhile."""
    number = tree.write(b"f", b"").number

    class Forgetting(Reply):
        def add(self, names: Sequence[bytes], told: Sequence[Attributes], following: int) -> None:
            super().add(names, told, following)
            tree.forget_all()

    handle = tree.tree.directories.open(ROOT)
    tree.tree.directories.fill(handle, 0, Forgetting())
    tree.tree.directories.release(handle)

    assert tree.tree.inodes.getattr(number).number == number


def test_a_fault_in_the_middle_of_a_listing_keeps_what_the_kernel_was_to_take(
    tree: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error instead of the reply would leave the lookups of its entries counted for ever."""
    tree.write(b"a", b"")
    tree.write(b"b", b"")

    def fault(*_: object) -> None:
        raise OSError(errno.EMFILE, "no more descriptors")

    operations, listing = Operations(tree.tree), Entries(4096)
    handle = tree.tree.directories.open(ROOT)
    monkeypatch.setattr(names, "look", fault)
    operations.readdir(handle, 0, listing)
    with refused(errno.EMFILE):
        operations.readdir(handle, 2, Entries(4096))
    tree.tree.directories.release(handle)

    assert [listing.content()[at : at + 8].rstrip(b"\0") for at in (152, 312)] == [b".", b".."]
    assert len(listing.content()) == 320
