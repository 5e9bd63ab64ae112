"""What a tree comes to, and that no change of it escapes a second survey."""

import errno
import os
import stat
import time
from pathlib import Path

import pytest

from katafs.rooted.surveys import Survey, survey
from tests.harness import needs
from tests.harness.descriptors import held
from tests.harness.odd_trees import described, make_odd_tree
from tests.harness.other_mounts import bound, memory_disk
from tests.unit.tree_changes import CHANGES, Change


@pytest.fixture
def odd(disk: Path) -> Path:
    """A tree with everything in it."""
    needs.root()
    (disk / "odd").mkdir()
    make_odd_tree(disk / "odd")
    return disk / "odd"


def surveyed(top: Path) -> Survey:
    with held(top) as directory:
        return survey(directory)


def test_an_empty_directory_has_no_entries(disk: Path) -> None:
    found = surveyed(disk)
    assert (found.entries, found.size_bytes, found.devices) == (0, 0, ())


def test_entries_are_names_and_each_file_has_its_size_once(odd: Path) -> None:
    found = surveyed(odd)

    assert found.entries == len(described(odd)) - 1
    files = {path.lstat().st_ino: path.lstat() for path in odd.rglob("*")}
    assert found.size_bytes == sum(status.st_size for status in files.values() if stat.S_ISREG(status.st_mode))


def test_device_nodes_are_named(odd: Path) -> None:
    os.mknod(odd / "dir" / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(odd / "disk", stat.S_IFBLK | 0o666, os.makedev(7, 0))

    assert surveyed(odd).devices == (b"dir/null", b"disk")


def test_a_tree_that_nobody_changes_keeps_its_fingerprint(odd: Path) -> None:
    before = surveyed(odd)
    described(odd)
    # A link's atime was set back by that, which its ctime tells.
    between = surveyed(odd)
    (odd / "plain").read_bytes()
    list(odd.rglob("*"))

    assert surveyed(odd) == between != before


def test_a_tree_that_is_renamed_keeps_its_fingerprint(odd: Path) -> None:
    before = surveyed(odd)
    odd.rename(odd.with_name("even"))

    assert surveyed(odd.with_name("even")) == before


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_change_whose_mtime_was_set_back_changes_the_fingerprint(odd: Path, change: Change) -> None:
    before = surveyed(odd)
    change.apply(odd)

    assert surveyed(odd).fingerprint != before.fingerprint


def test_the_same_bytes_written_again_change_the_fingerprint_at_once(odd: Path) -> None:
    """Within one tick of the kernel's clock too, in which ctime may stand still."""
    seen = set()
    with open(odd / "plain", "r+b", buffering=0) as file:
        for _ in range(100):
            file.seek(0)
            file.write(b"content")
            seen.add(surveyed(odd).fingerprint)

    assert len(seen) == 100


def test_what_comes_from_the_future_is_not_waited_for(odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As everything does where the clock was set back; it once took 20 ms for each entry."""
    now = time.time_ns
    slept: list[float] = []
    monkeypatch.setattr(time, "time_ns", lambda: now() - 3 * 86400 * 10**9)
    monkeypatch.setattr(time, "sleep", slept.append)

    surveyed(odd)

    assert slept == []


def test_two_files_that_change_places_change_the_fingerprint(odd: Path) -> None:
    before = surveyed(odd)
    os.rename(odd / "plain", odd / "x")
    os.rename(odd / "twin", odd / "plain")
    os.rename(odd / "x", odd / "twin")

    assert surveyed(odd).fingerprint != before.fingerprint


def test_an_entry_that_moves_up_changes_the_fingerprint(disk: Path) -> None:
    """Trees with the same names in the same order, of which only the depths differ."""
    (disk / "a" / "b").mkdir(parents=True)
    before = surveyed(disk)
    (disk / "a" / "b").rename(disk / "b")

    assert surveyed(disk).fingerprint != before.fingerprint


def test_a_mount_point_is_refused_with_its_path(odd: Path) -> None:
    with memory_disk(odd / "dir" / "empty"), pytest.raises(OSError, match="cross-device") as caught:
        surveyed(odd)
    assert (caught.value.errno, caught.value.filename) == (errno.EXDEV, b"dir/empty")


def test_a_file_mounted_on_a_file_of_the_same_disk_is_refused(odd: Path) -> None:
    with bound(odd / "plain", odd / "dir" / "inner" / "leaf"), pytest.raises(OSError, match="cross-device") as caught:
        surveyed(odd)
    assert (caught.value.errno, caught.value.filename) == (errno.EXDEV, b"dir/inner/leaf")
