"""The tree without a mount, beside an old disk: what the kernel knows goes on when its kata has gone into a volume.

The volumes are in memory and the disk isn't, so every conversion here copies, and every inode becomes another.
"""

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from katafs.volumes.memory import MemoryStore
from tests.harness.old_disk import FILES, OldDisk
from tests.harness.refusals import refused
from tests.harness.waiting import until
from tests.unit.kernel import ME
from tests.unit.legacy import HIKER, IN, KATA, SECOND, Beside, beside, descriptors, opened, read, walked


def test_every_number_stays(tree_beside: Beside) -> None:
    before = walked(tree_beside.kernel)
    tree_beside.convert_elsewhere(KATA)

    assert walked(tree_beside.kernel) == before
    assert len(before) > len(FILES)


def test_attributes_stay(tree_beside: Beside) -> None:
    inodes = tree_beside.kernel.tree.inodes
    before = {number: inodes.getattr(number) for number in walked(tree_beside.kernel).values()}
    tree_beside.convert_elsewhere(KATA)

    for number, told in before.items():
        now = inodes.getattr(number)
        for field in ("number", "generation", "ctime_ns"):
            assert getattr(now, field) == getattr(told, field), field
        for field in ("st_mode", "st_uid", "st_gid", "st_mtime_ns"):
            assert getattr(now.status, field) == getattr(told.status, field), field


def test_an_open_file_is_the_volumes_then(tree_beside: Beside) -> None:
    handle = opened(tree_beside.kernel, HIKER)
    tree_beside.convert_elsewhere(KATA)
    (tree_beside.volume(KATA) / "lion/sandbox/hiker.c").write_bytes(b"new")

    assert read(tree_beside.kernel, handle) == b"new"
    tree_beside.kernel.tree.files.release(handle)


def test_names_of_one_file_stay_names_of_one(tree_beside: Beside) -> None:
    os.link(tree_beside.old.where(KATA) / "manifest.json", tree_beside.old.where(KATA) / "lion/linked")
    number = tree_beside.kernel.number(IN + b"manifest.json")
    handle = opened(tree_beside.kernel, IN + b"lion/linked")
    tree_beside.convert_elsewhere(KATA)

    assert tree_beside.kernel.lookup(IN + b"lion/linked").number == number
    told = tree_beside.kernel.lookup(IN + b"manifest.json")
    assert (told.number, told.links) == (number, 2)
    tree_beside.kernel.change(lambda: tree_beside.kernel.unlink(IN + b"manifest.json"))
    assert read(tree_beside.kernel, handle) == FILES["manifest.json"].encode()
    tree_beside.kernel.tree.files.release(handle)


def test_an_open_file_that_was_removed_from_the_disk_before_is_read_still(tree_beside: Beside) -> None:
    handle = opened(tree_beside.kernel, HIKER)
    number = tree_beside.kernel.number(HIKER)
    (tree_beside.old.where(KATA) / "lion/sandbox/hiker.c").unlink()
    tree_beside.convert_elsewhere(KATA)

    assert read(tree_beside.kernel, handle) == FILES["lion/sandbox/hiker.c"].encode()
    assert tree_beside.kernel.tree.inodes.getattr(number).links == 0
    with refused(errno.ENOENT):
        tree_beside.kernel.lookup(HIKER)
    tree_beside.kernel.tree.files.release(handle)


@pytest.mark.parametrize("gone", ["lion/sandbox/hiker.c", "lion/sandbox", "lion"])
def test_what_was_removed_since_the_conversion_is_gone_and_the_rest_goes_on(tree_beside: Beside, gone: str) -> None:
    before = walked(tree_beside.kernel)
    tree_beside.convert_elsewhere(KATA)
    lost = tree_beside.volume(KATA) / gone
    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()

    for path, number in before.items():
        if path.startswith(IN + gone.encode()):
            with pytest.raises(OSError) as told:  # noqa: PT011  # the errno is looked at below
                tree_beside.kernel.tree.inodes.getattr(number)
            assert told.value.errno in (errno.ESTALE, errno.ENOENT)
        else:
            assert tree_beside.kernel.lookup(path).number == number


def test_a_kata_that_was_removed_since_the_conversion_is_gone(tree_beside: Beside) -> None:
    number = tree_beside.kernel.number(HIKER)
    tree_beside.convert_elsewhere(KATA)
    shutil.rmtree(tree_beside.volume(KATA))

    with refused(errno.ENOENT):
        tree_beside.kernel.change(lambda: tree_beside.kernel.lookup(HIKER))
    with refused(errno.ESTALE):
        tree_beside.kernel.change(lambda: tree_beside.kernel.tree.inodes.getattr(number))
    with refused(errno.ENOENT):
        tree_beside.kernel.change(lambda: tree_beside.kernel.write(HIKER, b""))


def test_nothing_is_kept_of_what_the_kernel_forgets(tree_beside: Beside) -> None:
    walked(tree_beside.kernel)
    held = descriptors(tree_beside.kernel)
    tree_beside.convert_elsewhere(KATA)
    walked(tree_beside.kernel)
    assert tree_beside.kept_numbers() > 0

    tree_beside.kernel.forget_all()

    assert (tree_beside.kept_numbers(), tree_beside.tracked(), len(tree_beside.core.nodes)) == (0, 0, 1)
    assert descriptors(tree_beside.kernel) <= held


def test_what_is_forgotten_before_it_was_settled_leaves_nothing_either(tree_beside: Beside) -> None:
    walked(tree_beside.kernel)
    tree_beside.convert_elsewhere(KATA)

    tree_beside.kernel.forget_all()

    assert (tree_beside.kept_numbers(), tree_beside.tracked()) == (0, 0)
    assert tree_beside.kernel.read(HIKER) == FILES["lion/sandbox/hiker.c"].encode()


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


def test_a_rename_between_two_katas_converts_both_and_is_refused(tree_beside: Beside) -> None:
    with refused(errno.EXDEV):
        tree_beside.kernel.change(lambda: tree_beside.kernel.rename(HIKER, b"34/ABCDEF01/lion/hiker.c"))

    assert tree_beside.old.left() == set()
    assert tree_beside.kernel.read(HIKER) == FILES["lion/sandbox/hiker.c"].encode()
    assert b"hiker.c" not in tree_beside.kernel.names(b"34/ABCDEF01/lion")


def test_a_rename_between_two_strays_is_one(tree_beside: Beside) -> None:
    for name in ("left", "right"):
        (tree_beside.old.path / name).mkdir()
        (tree_beside.old.path / name / "file").write_text(name)
    number = tree_beside.kernel.number(b"left/file")

    tree_beside.kernel.change(lambda: tree_beside.kernel.rename(b"left/file", b"right/file"))

    assert tree_beside.kernel.read(b"right/file") == b"left"
    assert tree_beside.kernel.number(b"right/file") == number
    assert tree_beside.kernel.names(b"left") == []


def test_an_inode_that_turns_up_in_another_kata_takes_nothing_along(tree_beside: Beside) -> None:
    """A hard link between two katas, as a program leaves that saves space."""
    os.link(tree_beside.old.where(KATA) / "manifest.json", tree_beside.old.where(SECOND) / "linked")
    lion = walked(tree_beside.kernel)[IN + b"lion"]
    walked(tree_beside.kernel, b"34/ABCDEF01")

    # By its number, as a kernel asks that still knows it.
    tree_beside.kernel.change(lambda: tree_beside.kernel.tree.creation.mkdir(lion, b"new", 0o755, ME))

    assert not tree_beside.old.where(KATA).exists()
    assert (tree_beside.volume(KATA) / "lion/new").exists()
    tree_beside.kernel.change(lambda: tree_beside.kernel.write(b"34/ABCDEF01/lion/new", b""))
    assert not tree_beside.old.where(SECOND).exists()


def test_a_stray_that_another_process_converts_stays_listed(tree_beside: Beside) -> None:
    (tree_beside.old.path / "12" / "stray").write_text("content")
    number = tree_beside.kernel.number(b"12/stray")
    tree_beside.convert_elsewhere("12/stray")

    assert tree_beside.kernel.names(b"12") == [b"3456789A", b"stray"]
    assert tree_beside.kernel.lookup(b"12/stray").number == number
    assert tree_beside.kernel.read(b"12/stray") == b"content"


def _waits_for_lock(disk: Path) -> bool:
    """Whether somebody waits for a lock on the disk (proc_locks(5))."""
    inode = (disk / ".katafs-lock").stat().st_ino
    return any("->" in line and f":{inode} " in line for line in Path("/proc/locks").read_text().splitlines())


def test_nothing_is_deleted_under_who_reads(tree_beside: Beside) -> None:
    """A tag, say, is read from an avatar's git without the tree's lock."""
    node = tree_beside.core.nodes.find(tree_beside.kernel.number(IN + b"lion/sandbox"))
    with ThreadPoolExecutor(1) as another:
        with tree_beside.core.borrowed(node) as directory:
            conversion = another.submit(tree_beside.convert_elsewhere, KATA)
            until(lambda: _waits_for_lock(tree_beside.old.path), "the conversion to wait", 20)

            assert not tree_beside.old.where(KATA).exists()
            assert sorted(os.listdir(f"/proc/self/fd/{directory}")) == ["cyber-dojo.sh", "hiker.c"]
            assert tree_beside.kernel.read(HIKER) == FILES["lion/sandbox/hiker.c"].encode()
        conversion.result(60)

    assert not any(path.startswith("12") for path in tree_beside.old.left())
