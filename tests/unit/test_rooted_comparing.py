"""What differs between two trees: each kind of change alone, and all of them without leaving the trees or waiting."""

import errno
import os
import re
from pathlib import Path

import pytest

from katafs.rooted.comparing import differences, entry_differences
from tests.harness import needs
from tests.harness.descriptors import held
from tests.harness.leases import leased
from tests.harness.odd_trees import make_odd_tree
from tests.harness.other_mounts import bound
from tests.harness.refusals import refused
from tests.unit.tree_changes import CHANGES, Change

Sides = tuple[Path, Path]


@pytest.fixture
def sides(disk: Path) -> Sides:
    """Two empty directories with the same attributes."""
    left, right = disk / "left", disk / "right"
    for side in (left, right):
        side.mkdir()
        os.utime(side, ns=(0, 0))
    return left, right


@pytest.fixture
def odd(sides: Sides) -> Sides:
    """Two trees with everything in them, made in the same way."""
    needs.root()
    for side in sides:
        make_odd_tree(side)
    return sides


def compared(sides: Sides) -> list[str]:
    with held(sides[0]) as left, held(sides[1]) as right:
        return list(differences(left, right))


def test_trees_that_were_made_in_the_same_way_do_not_differ(odd: Sides) -> None:
    assert compared(odd) == []


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_single_change_is_a_single_line(odd: Sides, change: Change) -> None:
    change.apply(odd[1])

    (line,) = compared(odd)
    assert re.fullmatch(change.line, line)


@pytest.mark.parametrize("change", [change for change in CHANGES if change.is_of_an_entry], ids=str)
def test_a_change_of_an_entry_is_found_in_the_entry_alone(odd: Sides, change: Change) -> None:
    change.apply(odd[1])

    path = Path(change.path)
    name = os.fsencode(path.name)
    with held(odd[0] / path.parent) as left, held(odd[1] / path.parent) as right:
        (line,) = entry_differences(left, name, right, name)
    assert line.partition(": ")[2] == compared(odd)[0].partition(": ")[2]


def test_neither_an_atime_nor_a_hole_is_a_difference(odd: Sides) -> None:
    status = (odd[1] / "sparse").stat()
    with open(odd[1] / "sparse", "r+b") as file:
        file.write(b"\0" * (3 << 20))
    os.utime(odd[1] / "sparse", ns=(1, status.st_mtime_ns))

    assert compared(odd) == []


def test_a_comparison_leaves_atimes_alone(odd: Sides) -> None:
    paths = [path for path in (odd[0], *odd[0].rglob("*")) if not path.is_symlink()]
    for path in paths:
        os.utime(path, ns=(0, path.lstat().st_mtime_ns))
    compared(odd)

    assert {path.lstat().st_atime_ns for path in paths} == {0}


def test_all_changes_are_told(odd: Sides) -> None:
    (odd[1] / "plain").write_bytes(b"longer content")
    (odd[1] / "dir" / "empty").rmdir()
    (odd[1] / "setuid").chmod(0o755)

    lines = compared(odd)

    assert [line for line in lines if "mtime" not in line] == [
        "'dir/empty': only on the left",
        "'plain': size 7 != 14",
        "'setuid': mode 4755 != 0755",
    ]


def test_the_first_difference_is_told_before_the_rest_is_looked_at(sides: Sides) -> None:
    (sides[0] / "a").touch()
    for side in sides:
        os.mkfifo(side / "b")
        os.utime(side, ns=(0, 0))
    with held(sides[0]) as left, held(sides[1]) as right:
        lines = differences(left, right)
        assert next(lines) == "'a': only on the left"
        os.unlink(sides[0] / "b")
        with refused(errno.ENOENT):
            next(lines)


def test_an_asker_who_has_had_enough_leaves_nothing_open(odd: Sides) -> None:
    (odd[1] / "dir" / "inner" / "leaf").chmod(0)
    with held(odd[0]) as left, held(odd[1]) as right:
        before = set(os.listdir("/proc/self/fd"))
        lines = differences(left, right)
        next(lines)
        lines.close()

        assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.timeout(30)
def test_files_of_exabytes_without_content_are_compared_at_once(sides: Sides) -> None:
    for side in sides:
        with open(side / "huge", "wb") as file:
            file.truncate(1 << 43)
            os.pwrite(file.fileno(), b"end", (1 << 43) - 3)
        os.utime(side / "huge", ns=(0, 0))
        os.utime(side, ns=(0, 0))

    assert compared(sides) == []


@pytest.mark.timeout(30)
def test_a_lease_is_not_waited_for(odd: Sides) -> None:
    with leased(odd[1] / "plain"), pytest.raises(BlockingIOError) as caught:
        compared(odd)
    assert caught.value.filename == b"plain"


@pytest.mark.parametrize("side", [0, 1])
def test_a_mount_point_is_not_crossed(odd: Sides, disk: Path, side: int) -> None:
    (disk / "other").mkdir()
    with bound(disk / "other", odd[side] / "dir" / "inner"), pytest.raises(OSError, match="cross-device") as caught:
        compared(odd)
    assert caught.value.errno == errno.EXDEV
    assert caught.value.filename == b"dir/inner"


def test_a_directory_is_no_entry_to_compare(odd: Sides) -> None:
    with held(odd[0]) as left, held(odd[1]) as right, refused(errno.EISDIR):
        list(entry_differences(left, b"dir", right, b"plain"))
