"""What the kernel may keep of a volume, as the tree knows it."""

import os
from pathlib import Path

import pytest

from katafs.kata_id import VolumeName
from katafs.namespace import Layout
from katafs.rooted import inodes
from katafs.rooted.inodes import is_settled
from katafs.tree.other_names import OtherNames
from katafs.volumes.memory import MemoryStore
from tests.harness.waiting import until
from tests.unit.conftest import Trees
from tests.unit.kernel import ME, ROOT, Kernel, volume_behind

KATA = b"123456789A"
VOLUME = VolumeName("123456789A")
OTHER = b"BBBBBBBBBB"


@pytest.fixture
def behind(store: MemoryStore) -> Path:
    """The kata's volume, with a file and a directory with one."""
    behind = volume_behind(store, VOLUME)
    (behind / "f").touch()
    (behind / "d").mkdir()
    (behind / "d" / "g").touch()
    return behind


def names_kept(kernel: Kernel) -> set[tuple[int, bytes]]:
    """The names of the kata."""
    return set(kernel.tree.kept_of(VOLUME).names)


@pytest.mark.usefixtures("behind")
def test_every_inode_and_name_that_the_kernel_knows(tree: Kernel) -> None:
    top, file, directory, inside = (tree.number(KATA + path) for path in (b"", b"/f", b"/d", b"/d/g"))
    kept = tree.tree.kept_of(VOLUME)

    assert sorted(kept.numbers) == sorted([top, file, directory, inside])
    assert set(kept.names) == {(top, b"f"), (top, b"d"), (directory, b"g")}


@pytest.mark.usefixtures("behind")
def test_the_names_of_volumes_are_not_changed_from_inside(tree_of: Trees) -> None:
    """To have the kernel drop them would make it wait for whoever makes a kata beside."""
    for layout, path in ((Layout.FLAT, KATA), (Layout.SPLIT, b"12/3456789A")):
        kernel = tree_of(layout=layout)
        kernel.lookup(path)

        assert names_kept(kernel) == set()


@pytest.mark.usefixtures("behind")
def test_what_is_forgotten_or_anothers_is_not_kept(tree: Kernel, store: MemoryStore) -> None:
    volume_behind(store, OTHER.decode())
    tree.write(OTHER + b"/f", b"")
    tree.lookup(KATA + b"/f")
    tree.forget_all()
    top = tree.number(KATA)

    assert (tree.tree.kept_of(VOLUME).numbers, names_kept(tree)) == ([top], set())


def test_each_name_of_a_hard_link(tree: Kernel, behind: Path) -> None:
    (behind / "linked").hardlink_to(behind / "f")
    top = tree.number(KATA)
    for name in (b"f", b"linked", b"f"):
        tree.lookup(KATA + b"/" + name)

    assert names_kept(tree) == {(top, b"f"), (top, b"linked")}


def test_the_name_of_a_hard_link_whose_other_name_is_moved(tree: Kernel, behind: Path) -> None:
    (behind / "linked").hardlink_to(behind / "f")
    top = tree.number(KATA)
    for name in (b"linked", b"f"):
        tree.lookup(KATA + b"/" + name)

    tree.tree.removal.rename((top, b"linked"), (top, b"moved"), 0)

    assert names_kept(tree) >= {(top, b"f"), (top, b"moved")}


@pytest.mark.usefixtures("behind")
def test_names_that_are_not_there_where_the_kernel_keeps_those(tree_of: Trees) -> None:
    kernel = tree_of(negative_timeout_s=60.0)
    top = kernel.number(KATA)

    assert kernel.tree.lookups.absence_s(top, b"absent") == 1.0  # no longer than what is there
    assert names_kept(kernel) == {(top, b"absent")}


@pytest.mark.usefixtures("behind")
def test_that_a_volume_is_not_there_is_never_kept(tree_of: Trees) -> None:
    kernel = tree_of(negative_timeout_s=60.0)

    assert kernel.tree.lookups.absence_s(ROOT, OTHER) == 0


@pytest.mark.usefixtures("behind")
def test_while_a_container_uses_a_volume_nothing_is_kept_for_any_time(tree_of: Trees, store: MemoryStore) -> None:
    kernel = tree_of(negative_timeout_s=60.0)
    top = kernel.number(KATA)
    used: list[VolumeName] = []
    kernel.tree.when_used(used.append)
    store.use(VOLUME)

    told = [*kernel.entries(KATA).values(), kernel.lookup(KATA + b"/f"), kernel.tree.inodes.getattr(top)]
    assert {each.timeout_s for each in told[1:]} - {1.0} == {0.0}  # `..` isn't the volume's
    assert kernel.tree.lookups.absence_s(top, b"absent") == 0
    assert used == [VOLUME]
    store.leave(VOLUME)
    assert kernel.lookup(KATA + b"/f").timeout_s == 1.0


def test_other_names_have_a_bound() -> None:
    others = OtherNames(most=3)
    added = [others.add(1, b"%d" % number, 3600) for number in range(5)]

    assert added == [True, True, True, False, False]
    assert (len(others.all()), others.add(1, b"2", 3600)) == (3, True)


def test_a_name_that_is_known_is_kept_longer_also_when_there_is_no_room() -> None:
    others = OtherNames(most=2)
    others.add(1, b"short", 0.01)
    others.add(1, b"told again", 0.01)
    others.add(1, b"told again", 3600)

    until(lambda: others.add(1, b"next", 3600), "room")
    assert sorted(others.all()) == [(1, b"next"), (1, b"told again")]


def test_there_is_room_again_for_other_names_when_the_kernel_keeps_them_no_more() -> None:
    others = OtherNames(most=2)
    others.add(1, b"short", 0.01)
    others.add(1, b"long", 3600)

    until(lambda: others.add(1, b"next", 3600), "room")
    assert sorted(others.all()) == [(1, b"long"), (1, b"next")]


def settled(path: Path) -> None:
    """Wait until what changes in the file from now on has another ctime."""
    until(lambda: is_settled(path.stat()), "the clock to move on")


def test_content_is_not_kept_that_may_change_within_the_tick_of_its_ctime(
    tree: Kernel, behind: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inodes, "CTIME_GRAIN_NS", 10**12)  # on a busy machine a test takes longer than a real tick
    files = tree.tree.files
    for _ in range(2):
        (behind / "f").write_bytes(b"new")
        number = tree.number(KATA + b"/f")
        handles = [files.open(number, os.O_RDONLY, ME) for _ in range(2)]
        for handle in handles:
            files.read(handle, 0, 1)
            files.release(handle)
        again = files.open(number, os.O_RDONLY, ME)
        keeps = files.handles[again].keeps
        files.release(again)
        assert not keeps


def test_content_is_kept_when_the_kernel_has_surely_dropped_what_was_there_before(tree: Kernel, behind: Path) -> None:
    """A second program that opens a file may overtake the first, whose reply is what has the kernel drop old pages."""
    (behind / "f").write_bytes(b"new")
    settled(behind / "f")
    files, number = tree.tree.files, tree.number(KATA + b"/f")
    first, second = (files.open(number, os.O_RDONLY, ME) for _ in range(2))
    overtaking = files.handles[second].keeps
    files.read(first, 0, 1)
    third = files.open(number, os.O_RDONLY, ME)
    behind.joinpath("f").write_bytes(b"newer")
    settled(behind / "f")
    fourth = files.open(number, os.O_RDONLY, ME)
    after_a_reading, after_a_change = files.handles[third].keeps, files.handles[fourth].keeps
    for handle in (first, second, third, fourth):
        files.release(handle)
    fifth = files.open(number, os.O_RDONLY, ME)
    after_the_end = files.handles[fifth].keeps
    files.release(fifth)

    assert (overtaking, after_a_reading, after_a_change, after_the_end) == (False, True, False, True)
