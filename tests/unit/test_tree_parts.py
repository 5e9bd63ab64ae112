"""A volume that is on another disk, as the store says: what the tree leaves to the part that serves it."""

import errno
from collections.abc import Callable
from unittest.mock import Mock

import pytest

from katafs.kata_id import VolumeName
from katafs.tree import owners
from katafs.tree.nodes import NodeTable
from katafs.tree.requests import Elsewhere
from katafs.volumes.disks import Disk
from katafs.volumes.memory import MemoryStore
from tests.harness.refusals import refused
from tests.unit.kernel import ROOT, Kernel, Reply

KATA, OTHER = b"123456789A", b"34ABCDEF01"
DISK = Disk(b"9:9")

Move = Callable[[], None]


@pytest.fixture
def mounted(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> Move:
    """From the call on the kata is on another disk."""

    def mount() -> None:
        monkeypatch.setattr(store, "disk_of", lambda name: DISK if name == VolumeName(KATA.decode()) else None)

    return mount


def test_a_volume_on_another_disk_is_left_to_its_part(tree: Kernel, store: MemoryStore, mounted: Move) -> None:
    (store.path / KATA.decode()).mkdir()
    mounted()
    with pytest.raises(Elsewhere) as there:
        tree.lookup(KATA)
    assert there.value.disk == DISK

    part = tree.tree.on(DISK)
    told = part.lookups.lookup_top(tree.tree.node(ROOT), KATA)
    assert part.knows(told.number)
    assert not tree.tree.knows(told.number)
    assert part.path_of(told.number) == tree.tree.path_of(told.number) == b"/" + KATA


def test_what_is_listed_on_another_disk_is_known_before_the_kernel_has_the_reply(
    tree: Kernel, store: MemoryStore, mounted: Move
) -> None:
    """Which part a request is for is seen without waiting for the part."""
    sandbox = store.path / KATA.decode() / "inside"
    sandbox.mkdir(parents=True)
    (sandbox / "file").touch()
    mounted()
    part = tree.tree.on(DISK)
    top = part.lookups.lookup_top(tree.tree.node(ROOT), KATA)
    inside = part.lookups.lookup(top.number, b"inside")
    assert inside is not None
    reply = Reply()
    part.directories.fill(part.directories.open(inside.number), 0, reply)
    (listed,) = (each for each in reply.entries if each.name == b"file")

    assert part.knows(listed.told.number)


def test_a_kata_that_exists_on_another_disk_is_not_made_again(tree: Kernel, store: MemoryStore, mounted: Move) -> None:
    (store.path / KATA.decode()).mkdir()
    mounted()
    with refused(errno.EEXIST):
        tree.mkdir(KATA)


def test_a_volume_that_is_known_stays_where_it_is(tree: Kernel, mounted: Move) -> None:
    number = tree.mkdir(KATA).number
    mounted()

    assert tree.lookup(KATA).number == number
    part = tree.tree.on(DISK)
    with refused(errno.ESTALE):
        part.lookups.foreseen_top(tree.tree.node(ROOT), KATA)
    with refused(errno.ESTALE):
        part.lookups.lookup_top(tree.tree.node(ROOT), KATA)


def test_what_home_never_had_is_not_looked_for_among_all_inodes(
    tree: Kernel, store: MemoryStore, mounted: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tree's lock is held, and a listing asks for each kata on the disk."""
    (store.path / KATA.decode()).mkdir()
    mounted()
    monkeypatch.setattr(NodeTable, "all", lambda _: pytest.fail("all were looked at"))
    with pytest.raises(Elsewhere):
        tree.lookup(KATA)


def test_of_volumes_that_were_forgotten_only_some_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "_FEW", 10)
    home, store = Mock(), Mock()
    home.all.return_value = []
    parts, volumes = owners.Owners(store, home), [VolumeName(f"{number:010X}") for number in range(100)]
    store.disk_of.return_value = None
    for volume in volumes:
        parts.serving(volume)
        parts.give_up(volume, None)
    home.all.reset_mock()
    store.disk_of.return_value = DISK

    assert {parts.serving(volume) for volume in volumes} == {DISK}
    assert home.all.call_count <= 10


def test_a_volume_of_which_something_is_known_without_its_top_stays_where_it_is(tree: Kernel, mounted: Move) -> None:
    """As of a file that is watched."""
    top = tree.mkdir(KATA).number
    file = tree.write(KATA + b"/file", b"").number
    tree.tree.forget([(top, tree.known[top])])
    mounted()

    assert tree.lookup(KATA).number == top
    assert tree.tree.knows(file)


def test_a_volume_whose_top_was_forgotten_goes_to_its_disks_part(tree: Kernel, mounted: Move) -> None:
    tree.mkdir(KATA)
    mounted()
    tree.lookup(KATA)
    tree.forget_all()
    with pytest.raises(Elsewhere):
        tree.lookup(KATA)


def test_a_part_keeps_its_volume_when_the_disk_has_gone_until_it_is_forgotten(
    tree: Kernel, store: MemoryStore, mounted: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    (store.path / KATA.decode()).mkdir()
    mounted()
    part = tree.tree.on(DISK)
    volume, told = part.lookups.foreseen_top(tree.tree.node(ROOT), KATA)
    part.lookups.lookup_top(tree.tree.node(ROOT), KATA)
    monkeypatch.setattr(store, "disk_of", lambda _: None)
    with pytest.raises(Elsewhere):
        tree.lookup(KATA)
    assert not part.is_unused()
    part.forget([(told.number, 1)])
    part.give_up(volume, told.number)

    assert part.is_unused()
    assert tree.lookup(KATA).number == told.number


def test_nothing_moves_between_parts(tree: Kernel, store: MemoryStore, mounted: Move) -> None:
    (store.path / KATA.decode()).mkdir()
    tree.mkdir(OTHER)
    tree.write(OTHER + b"/f", b"content")
    mounted()
    with refused(errno.EXDEV):
        tree.rename(OTHER + b"/f", KATA)


def test_handles_of_parts_are_told_apart(tree: Kernel, store: MemoryStore, mounted: Move) -> None:
    (store.path / KATA.decode()).mkdir()
    mounted()
    part = tree.tree.on(DISK)
    number = part.lookups.lookup_top(tree.tree.node(ROOT), KATA).number
    handles = tree.tree.directories.open(ROOT), part.directories.open(number)

    assert handles[0] != handles[1]
    assert tree.tree.figures().open_directories == 2
    tree.tree.directories.release(handles[0])
    part.directories.release(handles[1])
