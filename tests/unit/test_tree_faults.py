"""The tree without a mount: a store that fails."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from katafs.config import Sandboxes
from katafs.errors import KatafsError, StoreUnreachable, VolumeRefused
from katafs.kata_id import ROOT_VOLUME, VolumeName
from katafs.rooted import inodes, names
from katafs.tree.telling import Telling
from katafs.volumes.memory import MemoryStore
from tests.harness.refusals import refused
from tests.harness.waiting import until
from tests.unit.conftest import Trees
from tests.unit.kernel import ME, Kernel, volume_behind

KATA = b"123456789A"
GONE = StoreUnreachable("the engine is gone")
REFUSED = VolumeRefused("its data is not on this host")
BROKEN = OSError(errno.EIO, "the disk is gone")
FULL = OSError(errno.ENOSPC, "no space left")


@pytest.fixture
def known(tree: Kernel) -> Kernel:
    """A tree with a kata and a file in it, both known to the kernel."""
    tree.mkdir(KATA)
    tree.write(KATA + b"/f", b"content")
    return tree


def test_a_tree_is_not_begun_on_a_store_that_fails(tree_of: Trees, store: MemoryStore) -> None:
    store.fail(GONE)

    with pytest.raises(StoreUnreachable):
        tree_of()


def test_nor_where_the_root_volume_is_removed_meanwhile(
    tree_of: Trees, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: VolumeName) -> int:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr(store, "open", gone)

    with pytest.raises(StoreUnreachable, match="was removed while it was opened"):
        tree_of()


@pytest.mark.parametrize("fault", [GONE, REFUSED, FULL], ids=lambda fault: type(fault).__name__)
def test_a_fault_comes_out_of_a_lookup_as_it_is(known: Kernel, store: MemoryStore, fault: KatafsError) -> None:
    store.fail(fault)

    with pytest.raises(type(fault)) as told:
        known.lookup(b"BBBBBBBBBB")

    assert told.value is fault


def test_a_root_volume_that_another_store_has_taken_the_place_of_is_told(tree: Kernel, store: MemoryStore) -> None:
    assert tree.tree.figures().store_fault is None

    store.catalog().discard(ROOT_VOLUME)

    assert "katafs_root that is mounted is not in the store any more" in (tree.tree.figures().store_fault or "")


def test_a_kata_that_was_not_known_is_never_called_missing(known: Kernel, store: MemoryStore) -> None:
    """A backup would take ENOENT for a kata that is to be deleted from the copies."""
    volume_behind(store, "BBBBBBBBBB")
    store.fail(GONE)

    with pytest.raises(StoreUnreachable):
        known.lookup(b"BBBBBBBBBB")


def test_what_is_known_of_a_kata_is_answered_meanwhile(known: Kernel, store: MemoryStore) -> None:
    kata, file = known.number(KATA), known.number(KATA + b"/f")
    store.fail(GONE)

    handle = known.tree.files.open(file, os.O_RDONLY, ME)
    content = known.tree.files.read(handle, 0, 100)
    known.tree.files.release(handle)

    assert content == b"content"
    assert known.found(kata, b"f").number == file


def test_a_sandbox_in_its_katas_volume_is_answered_meanwhile(known: Kernel, store: MemoryStore) -> None:
    """Nobody can ask whether it has a volume of its own, and with that most files would be out of reach."""
    for directory in (KATA + b"/lion", KATA + b"/lion/sandbox", KATA + b"/owl"):
        known.mkdir(directory)
    sandbox, lion, owl = (known.number(KATA + name) for name in (b"/lion/sandbox", b"/lion", b"/owl"))
    store.fail(GONE)
    handle = known.tree.directories.open(lion)
    listed = {each.name: each.told for each in known.listed(handle)}

    assert known.found(lion, b"sandbox").number == sandbox
    assert (listed[b"sandbox"].number, stat.S_IMODE(listed[b"sandbox"].status.st_mode)) == (sandbox, 0o755)
    with pytest.raises(StoreUnreachable):
        known.found(owl, b"sandbox")


def test_the_root_volume_is_answered_meanwhile(known: Kernel, store: MemoryStore) -> None:
    known.write(b"readme.txt", b"content")
    store.fail(GONE)

    assert known.read(b"readme.txt") == b"content"


def test_a_listing_meanwhile_shows_a_kata_closed_and_not_empty(known: Kernel, store: MemoryStore) -> None:
    known.forget_all()
    store.fail(GONE)

    assert stat.S_IMODE(known.entries(b"")[KATA].status.st_mode) == 0


def test_a_closed_kata_can_not_be_listed(known: Kernel, store: MemoryStore) -> None:
    known.forget_all()
    store.fail(GONE)
    number = known.entries(b"")[KATA].number

    with pytest.raises(StoreUnreachable):
        known.tree.directories.open(number)


def test_no_kata_is_made_meanwhile(known: Kernel, store: MemoryStore) -> None:
    store.fail(GONE)

    with pytest.raises(StoreUnreachable):
        known.mkdir(b"BBBBBBBBBB")

    assert not (store.path / "BBBBBBBBBB").exists()


def test_no_kata_is_removed_meanwhile(known: Kernel, store: MemoryStore) -> None:
    known.unlink(KATA + b"/f")
    store.fail(GONE)

    with pytest.raises(StoreUnreachable):
        known.rmdir(KATA)

    assert (store.path / "123456789A").is_dir()


def test_a_healed_store_serves_its_katas_again(known: Kernel, store: MemoryStore) -> None:
    store.fail(GONE)
    known.entries(b"")
    store.heal()

    assert known.read(KATA + b"/f") == b"content"
    assert stat.S_IMODE(known.entries(b"")[KATA].status.st_mode) == 0o755


def test_a_failing_store_costs_no_descriptors(known: Kernel, store: MemoryStore) -> None:
    known.entries(b"")
    before = len(os.listdir("/proc/self/fd"))
    store.fail(GONE)
    for _ in range(10):
        known.entries(b"")
        with pytest.raises(StoreUnreachable):
            known.lookup(KATA)

    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_refused_avatars_volume_closes_its_sandbox_only(tree_of: Trees, store: MemoryStore) -> None:
    """A volume whose data isn't here is a file in place of a directory, for this store."""
    volume_behind(store, "123456789A")
    avatars = VolumeName("123456789A_lion")
    (store.path / avatars).touch()
    until(lambda: avatars in store.catalog(), "the store to know of the avatar's volume")
    tree = tree_of(sandboxes=Sandboxes.AVATAR)

    with pytest.raises(VolumeRefused):
        tree.lookup(KATA + b"/lion/sandbox")
    assert tree.names(KATA) == [b"lion"]
    assert stat.S_IMODE(tree.entries(KATA + b"/lion")[b"sandbox"].status.st_mode) == 0


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("/etc")], ids=["file", "link"])
def test_a_volume_that_is_no_directory_is_refused(
    tree: Kernel, store: MemoryStore, make: Callable[[Path], None]
) -> None:
    make(store.path / "123456789A")

    with pytest.raises(VolumeRefused):
        tree.lookup(KATA)


def test_a_kata_whose_top_can_not_be_prepared_is_not_left_behind(tree: Kernel, store: MemoryStore) -> None:
    tree.write(KATA, b"a file has its name")

    with refused(errno.EEXIST):
        tree.mkdir(KATA)

    assert os.listdir(store.path) == ["katafs_root"]


def test_a_kata_that_can_not_be_told_of_is_not_made(
    tree: Kernel, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.listdir("/proc/self/fd")

    def failing(*_: object, **__: object) -> None:
        raise BROKEN

    with monkeypatch.context() as exhausted:
        exhausted.setattr(Telling, "tell", failing)
        with refused(errno.EIO):
            tree.mkdir(KATA)

    assert os.listdir(store.path) == ["katafs_root"]
    assert len(os.listdir("/proc/self/fd")) == len(before)
    tree.mkdir(KATA)


class Afterwards:
    """Lets some calls fail once others were made."""

    def __init__(self, problem: OSError) -> None:
        self.done = False
        self._problem = problem

    def noting(self, call: Callable[..., object]) -> Callable[..., object]:
        """One of those that are made."""

        def noted(*arguments: object, **named: object) -> object:
            result = call(*arguments, **named)
            self.done = True
            return result

        return noted

    def failing(self, call: Callable[..., object]) -> Callable[..., object]:
        """One of those that fail after it."""

        def failed(*arguments: object) -> object:
            if self.done:
                raise self._problem
            return call(*arguments)

        return failed


REMOVING: dict[str, Callable[[Kernel], object]] = {
    "rmdir": lambda tree: tree.rmdir(KATA + b"/d"),
    "unlink": lambda tree: tree.unlink(KATA + b"/f"),
    "rename": lambda tree: tree.rename(KATA + b"/g", KATA + b"/f"),
    "rmdir of a kata": lambda tree: tree.rmdir(b"BBBBBBBBBB"),
}


@pytest.mark.parametrize("removing", REMOVING)
def test_what_is_removed_is_never_told_to_have_failed(
    known: Kernel, monkeypatch: pytest.MonkeyPatch, removing: str
) -> None:
    """Done again it would be ENOENT."""
    known.mkdir(b"BBBBBBBBBB")
    known.mkdir(KATA + b"/d")
    known.write(KATA + b"/g", b"")
    known.lookup(KATA + b"/f")
    faults = Afterwards(BROKEN)

    with monkeypatch.context() as broken:
        for removal in ("remove", "remove_directory", "rename"):
            broken.setattr(names, removal, faults.noting(getattr(names, removal)))
        broken.setattr(MemoryStore, "remove", faults.noting(MemoryStore.remove))
        broken.setattr(os, "fstat", faults.failing(os.fstat))
        broken.setattr(inodes, "touch_modified", faults.failing(inodes.touch_modified))
        REMOVING[removing](known)

    assert faults.done


NEW = KATA + b"/new"
MAKING: dict[str, Callable[[Kernel], object]] = {
    "mkdir": lambda tree: tree.mkdir(NEW),
    "avatar": lambda tree: tree.mkdir(KATA + b"/lion"),
    "symlink": lambda tree: tree.symlink(b"f", NEW),
    "link": lambda tree: tree.link(KATA + b"/f", NEW),
    "create": lambda tree: tree.write(NEW, b""),
    "mknod": lambda tree: tree.tree.creation.mknod(tree.number(KATA), b"new", stat.S_IFREG | 0o644, 0, ME),
}


@pytest.mark.parametrize("making", MAKING)
def test_what_can_not_be_told_of_is_not_made(known: Kernel, monkeypatch: pytest.MonkeyPatch, making: str) -> None:
    """There is a descriptor to make it by, and none to look at it. Made again it would be EEXIST."""
    known.number(KATA + b"/f")
    before = known.tree.figures().nodes, len(os.listdir("/proc/self/fd"))
    faults = Afterwards(OSError(errno.EMFILE, "too many open files"))

    with monkeypatch.context() as exhausted:
        for how in ("make_directory", "make_symlink", "make_link", "make_node", "create_file"):
            exhausted.setattr(names, how, faults.noting(getattr(names, how)))
        for how in ("look", "look_if_there"):
            exhausted.setattr(names, how, faults.failing(getattr(names, how)))
        exhausted.setattr(os, "fstat", faults.failing(os.fstat))
        with refused(errno.EMFILE):
            MAKING[making](known)

    assert (known.tree.figures().nodes, len(os.listdir("/proc/self/fd"))) == before
    MAKING[making](known)


@pytest.mark.parametrize("making", MAKING)
def test_nor_is_what_there_is_no_memory_to_tell_of(known: Kernel, monkeypatch: pytest.MonkeyPatch, making: str) -> None:
    known.number(KATA + b"/f")
    before = known.tree.figures().nodes, len(os.listdir("/proc/self/fd"))

    def exhausted(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as starved:
        for how in ("make_directory", "make_symlink", "make_link", "make_node", "create_file"):
            making_it = getattr(names, how)

            def made(*arguments: Any, make: Callable[..., object] = making_it) -> object:  # noqa: ANN401  # as the call
                result = make(*arguments)
                starved.setattr(Telling, "tell_backed", exhausted)
                return result

            starved.setattr(names, how, made)
        with pytest.raises(MemoryError):
            MAKING[making](known)

    assert (known.tree.figures().nodes, len(os.listdir("/proc/self/fd"))) == before
    MAKING[making](known)


def test_a_file_that_there_is_no_memory_to_tell_of_is_not_remembered(
    known: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.number(KATA)
    known.write(KATA + b"/g", b"")
    known.forget_all()
    number = known.number(KATA)
    before = known.tree.figures().nodes

    def exhausted(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as starved:
        starved.setattr(Telling, "tell_backed", exhausted)
        with pytest.raises(MemoryError):
            known.tree.lookups.lookup(number, b"g")

    assert known.tree.figures().nodes == before


def test_a_directory_in_a_listing_that_can_not_be_told_of_is_not_remembered(
    known: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.mkdir(KATA + b"/d")
    known.forget_all()
    handle = known.tree.directories.open(known.number(KATA))
    before = known.tree.figures().nodes

    def failing(*_: object, **__: object) -> None:
        raise BROKEN

    with monkeypatch.context() as broken:
        broken.setattr(Telling, "tell", failing)
        listed = known.listed(handle)

    assert b"d" in [entry.name for entry in listed]
    assert known.tree.figures().nodes == before
    known.tree.directories.release(handle)


@pytest.mark.parametrize("making", ["mkdir", "symlink", "mknod", "link"])
def test_what_has_taken_the_name_of_what_can_not_be_told_of_stays(
    known: Kernel, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, making: str
) -> None:
    taken = store.path / os.fsdecode(NEW)

    def replaced(*_: object) -> None:
        (store.path / "other").write_text("a container's")
        if taken.is_dir():
            taken.rmdir()
        (store.path / "other").replace(taken)
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as exhausted:
        exhausted.setattr(names, "look", replaced)
        with refused(errno.EMFILE):
            MAKING[making](known)

    assert taken.read_text() == "a container's"
