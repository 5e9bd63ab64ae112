"""The tree without a mount: directories that others have put others in the place of, while somebody has them open."""

import contextlib
import errno
import shutil
from pathlib import Path

import pytest

from katafs.config import TreeSettings
from katafs.errors import StoreUnreachable
from katafs.kata_id import VolumeName
from katafs.namespace import Layout
from katafs.tree.directories import Directories
from katafs.tree.tree import Tree
from katafs.volumes.directories import DirectoryStore
from katafs.volumes.memory import MemoryStore
from tests.harness.refusals import refused
from tests.harness.waiting import until
from tests.unit.conftest import Trees
from tests.unit.kernel import Kernel, volume_behind

KATA, VOLUME = b"123456789A", "123456789A"


@pytest.fixture
def known(tree: Kernel) -> Kernel:
    """A tree with a kata that has a file."""
    tree.mkdir(KATA)
    tree.write(KATA + b"/mine", b"")
    return tree


def make_anew(store: MemoryStore) -> None:
    """Another kata in the place of the one there."""
    shutil.rmtree(store.path / VOLUME)
    (store.path / VOLUME).mkdir()
    (store.path / VOLUME / "another's").touch()


def shown(tree: Kernel, handle: int) -> list[bytes]:
    """The names that a reading from the beginning gives."""
    return sorted(each.name for each in tree.listed(handle) if each.name not in (b".", b".."))


def refused_for_good(tree: Kernel, handle: int) -> bool:
    """Whether each of several readings is refused: the first one lets go of what was kept of the old directory."""
    for _ in range(3):
        with refused(errno.ESTALE):
            tree.listed(handle)
    return True


def test_an_open_kata_never_shows_the_one_that_took_its_place(known: Kernel, store: MemoryStore) -> None:
    handle = known.tree.directories.open(known.number(KATA))
    make_anew(store)

    assert refused_for_good(known, handle)
    assert known.names(KATA) == [b"another's"]
    assert refused_for_good(known, handle)


def test_an_open_kata_is_not_synced_in_the_place_of_another(known: Kernel, store: MemoryStore) -> None:
    handle = known.tree.directories.open(known.number(KATA))
    make_anew(store)
    known.lookup(KATA)

    with refused(errno.ESTALE):
        known.tree.directories.fsync(handle)


def test_nothing_is_told_of_the_new_kata_to_who_works_in_the_old_one(known: Kernel, store: MemoryStore) -> None:
    number = known.number(KATA)
    make_anew(store)
    for _ in range(2):
        with refused(errno.ESTALE):
            known.tree.inodes.getattr(number)

    with refused(errno.ESTALE):
        known.found(number, b"another's")
    with refused(errno.ESTALE):
        known.tree.directories.open(number)


def test_nor_where_an_avatars_volume_stood_for_it_meanwhile(known: Kernel, store: MemoryStore) -> None:
    volume_behind(store, f"{VOLUME}_lion")
    handle = known.tree.directories.open(known.number(KATA))
    shutil.rmtree(store.path / VOLUME)
    until(lambda: VolumeName(VOLUME) not in store.catalog(), "the store to miss the kata")
    assert known.names(KATA) == [b"lion"]
    between = known.tree.directories.open(known.number(KATA))
    volume_behind(store, VOLUME)
    (store.path / VOLUME / "another's").touch()
    assert known.names(KATA) == [b"another's", b"lion"]

    assert refused_for_good(known, handle)
    assert refused_for_good(known, between)


def test_nor_where_the_new_one_has_the_inode_number_of_the_old(own_process: None, disk: Path) -> None:
    """As ext4 gives it, once nobody has the old one open on the disk any more."""
    with (
        contextlib.closing(DirectoryStore(disk)) as store,
        contextlib.closing(Tree(store, TreeSettings())) as tree,
    ):
        known = Kernel(tree)
        number = known.mkdir(KATA).number
        handle = tree.directories.open(number)
        (disk / VOLUME).rmdir()
        with refused(errno.ESTALE):
            tree.inodes.getattr(number)
        (disk / VOLUME).mkdir()
        (disk / VOLUME / "another's").touch()
        for ask in (lambda: tree.inodes.getattr(number), lambda: known.listed(handle)):
            with refused(errno.ESTALE):
                ask()

        assert known.names(KATA) == [b"another's"]
        assert refused_for_good(known, handle)


def test_an_open_listing_does_not_go_on_in_the_new_one(known: Kernel, store: MemoryStore) -> None:
    handle = known.tree.directories.open(known.number(KATA))
    known.listed(handle, room=2)
    make_anew(store)
    known.lookup(KATA)

    with refused(errno.ESTALE):
        known.listed(handle, start=2)


def test_a_kata_that_is_replaced_while_it_is_listed_is_not_shown(
    known: Kernel, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = known.tree.directories.open(known.number(KATA))
    names_in = Directories._names_in  # noqa: SLF001  # between its look and the next step

    def replaced_first(directories: Directories, node: object) -> dict[bytes, int]:
        monkeypatch.undo()
        make_anew(store)
        known.lookup(KATA)
        return names_in(directories, node)  # type: ignore[arg-type]  # what came is handed on

    monkeypatch.setattr(Directories, "_names_in", replaced_first)

    with refused(errno.ESTALE):
        known.listed(handle)


def test_an_outer_directory_that_is_made_stays_the_one_that_is_open(tree_of: Trees, store: MemoryStore) -> None:
    tree = tree_of(layout=Layout.SPLIT)
    volume_behind(store, VOLUME)
    handle = tree.tree.directories.open(tree.number(b"12"))
    tree.write(b"12/readme.txt", b"")
    tree.lookup(b"12")

    assert shown(tree, handle) == [b"3456789A", b"readme.txt"]


def test_an_open_kata_outlives_that_it_can_not_be_served_for_a_while(known: Kernel, store: MemoryStore) -> None:
    """Listed meanwhile it shows closed to all others. Nobody is to find it empty then."""
    number = known.number(KATA)
    handle = known.tree.directories.open(number)
    store.fail(StoreUnreachable("the engine is gone"))
    assert known.entries(b"")[KATA].number == number
    store.heal()

    assert shown(known, handle) == [b"mine"]
    assert shown(known, known.tree.directories.open(number)) == [b"mine"]


def test_a_kata_that_was_never_served_is_not_empty_when_it_can_be(known: Kernel, store: MemoryStore) -> None:
    known.forget_all()
    store.fail(StoreUnreachable("the engine is gone"))
    number = known.entries(b"")[KATA].number
    store.heal()

    with refused(errno.ESTALE):
        known.tree.directories.open(number)
    assert known.names(KATA) == [b"mine"]
