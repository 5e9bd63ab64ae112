"""Two directories of one file system that different mounts show: a rename between them works, through a clone."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from katafs.converter.guards import refuse_source
from katafs.errors import ConversionRefused
from katafs.rooted import mounts, names
from katafs.rooted.mounts import through_one_mount
from katafs.volumes.directories import DirectoryStore
from katafs.volumes.legacy_disk import LegacyDisk
from tests.harness import needs
from tests.harness.descriptors import held
from tests.harness.mount_table import mounts_below
from tests.harness.other_mounts import bound, memory_disk, own_mount_table
from tests.harness.programs import NOBODY, in_child, run
from tests.harness.refusals import refused


@pytest.fixture
def pair(disk: Path) -> tuple[Path, Path]:
    """Two directories, the first of which has an entry."""
    needs.root()
    (disk / "one" / "entry").mkdir(parents=True)
    (disk / "other").mkdir()
    return disk / "one", disk / "other"


def _move(one: Path, other: Path) -> int:
    """Rename the entry as a conversion does; its inode number."""
    with held(one) as first, held(other) as second, through_one_mount(first, second) as (old, new):
        assert os.path.sameopenfile(old, first)
        assert os.path.sameopenfile(new, second)
        names.rename(old, b"entry", new, b"entry", names.RENAME_NOREPLACE)
    return (other / "entry").stat().st_ino


def _moved(one: Path, other: Path) -> bool:
    before = (one / "entry").stat().st_ino
    return _move(one, other) == before and not (one / "entry").exists()


def _plain_rename_fails(one: Path, other: Path) -> None:
    with refused(errno.EXDEV):
        os.rename(one / "entry", other / "entry")


def test_within_one_mount(pair: tuple[Path, Path]) -> None:
    assert _moved(*pair)


def test_a_directory_bound_onto_itself(pair: tuple[Path, Path]) -> None:
    # As Docker's engine does with its data-root.
    one, other = pair
    with bound(other, other):
        _plain_rename_fails(one, other)
        assert _moved(one, other)


def test_both_bound_onto_themselves(pair: tuple[Path, Path]) -> None:
    one, other = pair
    with bound(one, one), bound(other, other):
        _plain_rename_fails(one, other)
        assert _moved(one, other)


def test_bound_twice_over(pair: tuple[Path, Path]) -> None:
    one, other = pair
    with bound(other, other), bound(other, other):
        assert _moved(one, other)


def test_directories_below_what_is_bound_elsewhere(pair: tuple[Path, Path], disk: Path) -> None:
    one, other = pair
    (other / "deep" / "er").mkdir(parents=True)
    (disk / "elsewhere").mkdir()
    with bound(other / "deep", disk / "elsewhere"):
        _plain_rename_fails(one, disk / "elsewhere" / "er")
        assert _moved(one, disk / "elsewhere" / "er")
    assert (other / "deep" / "er" / "entry").is_dir()


@pytest.mark.parametrize(
    "odd", [" sp ace", "new\nline", "tab\t", "back\\slash", "\\040", "form\x0cfeed", "ü\r", "- - "]
)
def test_mount_points_of_any_name(pair: tuple[Path, Path], disk: Path, odd: str) -> None:
    one, _ = pair
    (disk / odd).mkdir()
    # Programs that read lines otherwise than the kernel writes them should not meet such names.
    assert in_child(_moved_onto_a_mount, one, disk / odd)


def _moved_onto_a_mount(one: Path, path: Path) -> bool:
    own_mount_table()
    run(["mount", "--bind", path, path])
    with held(path) as descriptor:
        assert mounts.mount_of(descriptor).point == os.fsencode(path)
    _plain_rename_fails(one, path)
    return _moved(one, path)


def test_what_a_mount_covers_is_reached_all_the_same(pair: tuple[Path, Path], disk: Path) -> None:
    one, other = pair
    (disk / "over").mkdir()
    with (
        held(one) as first,
        bound(disk / "over", one),
        bound(other, other),
        held(other) as second,
        through_one_mount(first, second) as (old, new),
    ):
        names.rename(old, b"entry", new, b"entry", 0)
    assert (other / "entry").is_dir()
    assert os.listdir(one) == []


def test_a_read_only_mount_of_both_is_not_taken(pair: tuple[Path, Path], disk: Path) -> None:
    one, other = pair
    with memory_disk(disk / "one"):
        # The first mount that holds both is read-only, a later one isn't.
        for name in ("a", "a/entry", "b"):
            (one / name).mkdir()
        (disk / "writable").mkdir()
        with bound(one, disk / "writable"):
            run(["mount", "-o", "remount,bind,ro", one])
            writable = disk / "writable"
            with bound(writable / "a", writable / "a"):
                assert _moved(writable / "a", writable / "b")
    assert other.is_dir()


def test_two_file_systems_cannot_be_one_mount(pair: tuple[Path, Path]) -> None:
    one, other = pair
    with memory_disk(other):
        with refused(errno.EXDEV):
            _move(one, other)
        assert (one / "entry").is_dir()


def test_nobody_but_root_may_clone_a_mount(pair: tuple[Path, Path]) -> None:
    one, other = pair
    for path in pair:
        path.chmod(0o777)
    with bound(other, other), refused(errno.EPERM):
        NOBODY.call(_move, one, other)
    assert (one / "entry").is_dir()


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Nothing is left open."""
    before = sorted(os.listdir("/proc/self/fd"))
    yield
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_nothing_stays_open_or_mounted(pair: tuple[Path, Path], disk: Path, descriptors: None) -> None:
    one, other = pair
    with bound(other, other):
        assert _moved(one, other)
        assert [mount.path for mount in mounts_below(disk)] == [str(other)]


def _in_a_chroot(top: Path) -> tuple[bool, str]:
    own_mount_table()
    for name in ("proc", "volumes"):
        (top / name).mkdir()
    run(["mount", "--bind", "/proc", top / "proc"])
    os.chroot(top)
    moved = _moved(Path("/one"), Path("/other"))
    with pytest.raises(ConversionRefused) as refusal:
        refuse_source(LegacyDisk(Path("/one")), DirectoryStore(Path("/volumes")))
    return moved, str(refusal.value)


def test_in_a_chroot_that_is_no_mount_point_it_works_within_that_and_is_told_what_can_not_be_known(
    pair: tuple[Path, Path],
) -> None:
    moved, refusal = in_child(_in_a_chroot, pair[0].parent)

    assert moved
    assert "mount --bind" in refusal


@pytest.mark.parametrize("which", ["one", "other"])
def test_a_read_only_mount_is_not_gone_around(pair: tuple[Path, Path], disk: Path, which: str) -> None:
    with bound(disk / which, disk / which, "ro"), refused(errno.EROFS):
        _move(*pair)
    assert (pair[0] / "entry").is_dir()
