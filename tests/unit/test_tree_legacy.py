"""The tree without a mount, beside an old disk: what the kernel knows goes on when its kata has gone into a volume.

The volumes are in memory and the disk isn't, so every conversion here copies, and every inode becomes another.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from katafs.errors import StoreUnreachable
from katafs.volumes.memory import MemoryStore
from tests.harness import needs
from tests.harness.old_disk import FILES, OldDisk
from tests.harness.refusals import refused
from tests.harness.waiting import until
from tests.unit.kernel import ME, Kernel
from tests.unit.legacy import Behind, Beside, beside, descriptors

KATA, SECOND = "123456789A", "34ABCDEF01"
IN = b"12/3456789A/"
HIKER = IN + b"lion/sandbox/hiker.c"
GONE = StoreUnreachable("the engine is gone")


@pytest.fixture
def old(disk: Path) -> OldDisk:
    """An old disk with two katas."""
    needs.root()
    old = OldDisk(disk)
    for kata in (KATA, SECOND):
        old.make(kata)
    return old


@pytest.fixture
def tree(store: MemoryStore, old: OldDisk, own_process: None) -> Iterator[Beside]:
    """A split tree that has both."""
    with beside(store, old) as tree:
        yield tree


def opened(kernel: Kernel, path: bytes) -> int:
    return kernel.tree.files.open(kernel.number(path), os.O_RDONLY, ME)


def read(kernel: Kernel, handle: int) -> bytes:
    return kernel.tree.files.read(handle, 0, 1 << 20)


def walked(kernel: Kernel, path: bytes = b"12/3456789A") -> dict[bytes, int]:
    """Look everything below the path up; the numbers, by path."""
    found = {path: kernel.number(path)}
    for name, told in kernel.entries(path).items():
        if name in (b".", b".."):
            continue
        below = path + b"/" + name
        found |= walked(kernel, below) if told.mode & 0o170000 == 0o040000 else {below: told.number}
    return found


def test_every_number_stays(tree: Beside) -> None:
    before = walked(tree.kernel)
    tree.convert_elsewhere(KATA)

    assert walked(tree.kernel) == before
    assert len(before) > len(FILES)


def test_attributes_stay(tree: Beside) -> None:
    inodes = tree.kernel.tree.inodes
    before = {number: inodes.getattr(number) for number in walked(tree.kernel).values()}
    tree.convert_elsewhere(KATA)

    for number, told in before.items():
        now = inodes.getattr(number)
        for field in ("number", "generation", "mode", "uid", "gid", "mtime_ns", "ctime_ns"):
            assert getattr(now, field) == getattr(told, field), field


def test_an_open_file_is_the_volumes_then(tree: Beside) -> None:
    handle = opened(tree.kernel, HIKER)
    tree.convert_elsewhere(KATA)
    (tree.volume(KATA) / "lion/sandbox/hiker.c").write_bytes(b"new")

    assert read(tree.kernel, handle) == b"new"
    tree.kernel.tree.files.release(handle)


def test_names_of_one_file_stay_names_of_one(tree: Beside) -> None:
    os.link(tree.old.where(KATA) / "manifest.json", tree.old.where(KATA) / "lion/linked")
    number = tree.kernel.number(IN + b"manifest.json")
    handle = opened(tree.kernel, IN + b"lion/linked")
    tree.convert_elsewhere(KATA)

    assert tree.kernel.lookup(IN + b"lion/linked").number == number
    told = tree.kernel.lookup(IN + b"manifest.json")
    assert (told.number, told.links) == (number, 2)
    tree.kernel.change(lambda: tree.kernel.unlink(IN + b"manifest.json"))
    assert read(tree.kernel, handle) == FILES["manifest.json"].encode()
    tree.kernel.tree.files.release(handle)


def test_an_open_file_that_was_removed_from_the_disk_before_is_read_still(tree: Beside) -> None:
    handle = opened(tree.kernel, HIKER)
    number = tree.kernel.number(HIKER)
    (tree.old.where(KATA) / "lion/sandbox/hiker.c").unlink()
    tree.convert_elsewhere(KATA)

    assert read(tree.kernel, handle) == FILES["lion/sandbox/hiker.c"].encode()
    assert tree.kernel.tree.inodes.getattr(number).links == 0
    with refused(errno.ENOENT):
        tree.kernel.lookup(HIKER)
    tree.kernel.tree.files.release(handle)


@pytest.mark.parametrize("gone", ["lion/sandbox/hiker.c", "lion/sandbox", "lion"])
def test_what_was_removed_since_the_conversion_is_gone_and_the_rest_goes_on(tree: Beside, gone: str) -> None:
    before = walked(tree.kernel)
    tree.convert_elsewhere(KATA)
    lost = tree.volume(KATA) / gone
    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()

    for path, number in before.items():
        if path.startswith(IN + gone.encode()):
            with pytest.raises(OSError) as told:  # noqa: PT011  # the errno is looked at below
                tree.kernel.tree.inodes.getattr(number)
            assert told.value.errno in (errno.ESTALE, errno.ENOENT)
        else:
            assert tree.kernel.lookup(path).number == number


def test_a_kata_that_was_removed_since_the_conversion_is_gone(tree: Beside) -> None:
    number = tree.kernel.number(HIKER)
    tree.convert_elsewhere(KATA)
    shutil.rmtree(tree.volume(KATA))

    with refused(errno.ENOENT):
        tree.kernel.lookup(HIKER)
    with refused(errno.ESTALE):
        tree.kernel.tree.inodes.getattr(number)
    with refused(errno.ENOENT):
        tree.kernel.change(lambda: tree.kernel.write(HIKER, b""))


def test_nothing_is_kept_of_what_the_kernel_forgets(tree: Beside) -> None:
    walked(tree.kernel)
    held = descriptors(tree.kernel)
    tree.convert_elsewhere(KATA)
    walked(tree.kernel)
    assert tree.kept_numbers() > 0

    tree.kernel.forget_all()

    assert (tree.kept_numbers(), tree.tracked(), len(tree.core.nodes)) == (0, 0, 1)
    assert descriptors(tree.kernel) <= held


def test_what_is_forgotten_before_it_was_settled_leaves_nothing_either(tree: Beside) -> None:
    walked(tree.kernel)
    tree.convert_elsewhere(KATA)

    tree.kernel.forget_all()

    assert (tree.kept_numbers(), tree.tracked()) == (0, 0)
    assert tree.kernel.read(HIKER) == FILES["lion/sandbox/hiker.c"].encode()


@pytest.mark.parametrize("open_directories", [1, 2, 3])
def test_few_kept_directories_are_enough(
    store: MemoryStore, old: OldDisk, own_process: None, open_directories: int
) -> None:
    with beside(store, old, open_directories=open_directories) as tree:
        before = walked(tree.kernel)
        handle = opened(tree.kernel, HIKER)
        walked(tree.kernel, b"34/ABCDEF01")  # which takes all the room
        tree.convert_elsewhere(KATA)

        assert walked(tree.kernel) == before
        assert read(tree.kernel, handle) == FILES["lion/sandbox/hiker.c"].encode()
        tree.kernel.change(lambda: tree.kernel.write(IN + b"lion/sandbox/new", b""))
        tree.kernel.tree.files.release(handle)
        assert len(tree.core.descriptors) <= open_directories


def test_a_rename_between_two_katas_converts_both_and_is_refused(tree: Beside) -> None:
    with refused(errno.EXDEV):
        tree.kernel.change(lambda: tree.kernel.rename(HIKER, b"34/ABCDEF01/lion/hiker.c"))

    assert tree.old.left() == set()
    assert tree.kernel.read(HIKER) == FILES["lion/sandbox/hiker.c"].encode()
    assert b"hiker.c" not in tree.kernel.names(b"34/ABCDEF01/lion")


def test_a_rename_between_two_strays_is_one(tree: Beside) -> None:
    for name in ("left", "right"):
        (tree.old.path / name).mkdir()
        (tree.old.path / name / "file").write_text(name)
    number = tree.kernel.number(b"left/file")

    tree.kernel.change(lambda: tree.kernel.rename(b"left/file", b"right/file"))

    assert tree.kernel.read(b"right/file") == b"left"
    assert tree.kernel.number(b"right/file") == number
    assert tree.kernel.names(b"left") == []


CHANGES: dict[str, Callable[[Kernel], object]] = {
    "write": lambda kernel: kernel.tree.files.open(kernel.number(HIKER), os.O_WRONLY, ME),
    "create": lambda kernel: kernel.write(IN + b"new", b""),
    "unlink": lambda kernel: kernel.unlink(HIKER),
    "mkdir": lambda kernel: kernel.mkdir(IN + b"bear"),
    "rename": lambda kernel: kernel.rename(HIKER, IN + b"moved"),
}


@pytest.mark.parametrize("fault", [GONE, OSError(errno.ENOSPC, "full")], ids=["unreachable", "full"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_conversion_that_fails_leaves_no_trace(
    tree: Beside, store: MemoryStore, change: Callable[[Kernel], object], fault: StoreUnreachable | OSError
) -> None:
    before = walked(tree.kernel)
    held, left, volumes = descriptors(tree.kernel), tree.old.left(), os.listdir(store.path)
    store.fail(fault)

    with pytest.raises(type(fault)) as told:
        tree.kernel.change(lambda: change(tree.kernel))

    assert told.value is fault
    assert (descriptors(tree.kernel), tree.old.left(), os.listdir(store.path)) == (held, left, volumes)
    assert tree.kernel.read(IN + b"manifest.json") == FILES["manifest.json"].encode()
    store.heal()
    assert walked(tree.kernel) == before
    tree.kernel.change(lambda: change(tree.kernel))
    assert not tree.old.where(KATA).exists()


def test_a_store_that_is_gone_after_a_conversion_is_a_fault_until_it_is_back(tree: Beside, store: MemoryStore) -> None:
    before = walked(tree.kernel)
    handle = opened(tree.kernel, HIKER)
    tree.convert_elsewhere(KATA)
    store.fail(GONE)
    for ask in (
        lambda: tree.kernel.tree.inodes.getattr(before[HIKER]),
        lambda: read(tree.kernel, handle),
        lambda: tree.kernel.lookup(HIKER),
    ):
        with pytest.raises(StoreUnreachable):
            ask()
    store.heal()

    assert read(tree.kernel, handle) == FILES["lion/sandbox/hiker.c"].encode()
    assert walked(tree.kernel) == before
    tree.kernel.tree.files.release(handle)


def test_an_inode_that_turns_up_in_another_kata_takes_nothing_along(tree: Beside) -> None:
    """A hard link between two katas, as a program leaves that saves space."""
    os.link(tree.old.where(KATA) / "manifest.json", tree.old.where(SECOND) / "linked")
    lion = walked(tree.kernel)[IN + b"lion"]
    walked(tree.kernel, b"34/ABCDEF01")

    # By its number, as a kernel asks that still knows it.
    tree.kernel.change(lambda: tree.kernel.tree.creation.mkdir(lion, b"new", 0o755, ME))

    assert not tree.old.where(KATA).exists()
    assert (tree.volume(KATA) / "lion/new").exists()
    tree.kernel.change(lambda: tree.kernel.write(b"34/ABCDEF01/lion/new", b""))
    assert not tree.old.where(SECOND).exists()


@pytest.fixture
def lagging(store: MemoryStore, old: OldDisk, own_process: None) -> Iterator[Beside]:
    """The same tree on a store that doesn't notice by itself what another process makes."""
    store.create("katafs_root")  # type: ignore[arg-type]  # the name of the root volume
    behind = Behind(store)
    with beside(store, old, behind) as tree:
        yield tree
    behind.close()


@pytest.mark.parametrize("known", [True, False], ids=["known", "not known"])
def test_a_kata_is_never_missing_while_the_store_does_not_know_of_its_volume_yet(lagging: Beside, known: bool) -> None:
    if known:
        walked(lagging.kernel)
    lagging.convert_elsewhere(KATA)

    assert lagging.kernel.names(b"12") == [b"3456789A"]
    assert lagging.kernel.read(HIKER) == FILES["lion/sandbox/hiker.c"].encode()


def test_a_lookup_finds_it_too(lagging: Beside) -> None:
    lagging.convert_elsewhere(KATA)

    assert lagging.kernel.read(HIKER) == FILES["lion/sandbox/hiker.c"].encode()
    with refused(errno.EEXIST):
        lagging.kernel.change(lambda: lagging.kernel.mkdir(b"12/3456789A"))


def test_a_kata_that_was_removed_meanwhile_is_missing(lagging: Beside) -> None:
    lagging.convert_elsewhere(KATA)
    shutil.rmtree(lagging.volume(KATA))

    assert lagging.kernel.names(b"12") == []
    with refused(errno.ENOENT):
        lagging.kernel.lookup(b"12/3456789A")


def test_a_stray_that_another_process_converts_stays_listed(tree: Beside) -> None:
    (tree.old.path / "12" / "stray").write_text("content")
    number = tree.kernel.number(b"12/stray")
    tree.convert_elsewhere("12/stray")

    assert tree.kernel.names(b"12") == [b"3456789A", b"stray"]
    assert tree.kernel.lookup(b"12/stray").number == number
    assert tree.kernel.read(b"12/stray") == b"content"


def _waits_for_lock(disk: Path) -> bool:
    """Whether somebody waits for a lock on the disk (proc_locks(5))."""
    inode = (disk / ".katafs-lock").stat().st_ino
    return any("->" in line and f":{inode} " in line for line in Path("/proc/locks").read_text().splitlines())


def test_nothing_is_deleted_under_who_reads(tree: Beside) -> None:
    """A tag, say, is read from an avatar's git without the tree's lock."""
    node = tree.core.nodes[tree.kernel.number(IN + b"lion/sandbox")]
    with ThreadPoolExecutor(1) as another:
        with tree.core.borrowed(node) as directory:
            conversion = another.submit(tree.convert_elsewhere, KATA)
            until(lambda: _waits_for_lock(tree.old.path), "the conversion to wait", 20)

            assert not tree.old.where(KATA).exists()
            assert sorted(os.listdir(f"/proc/self/fd/{directory}")) == ["cyber-dojo.sh", "hiker.c"]
            assert tree.kernel.read(HIKER) == FILES["lion/sandbox/hiker.c"].encode()
        conversion.result(60)

    assert not any(path.startswith("12") for path in tree.old.left())
