"""The room that copies take where volumes are: told before a conversion, and where it wasn't enough."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.engine import Engine
from tests.harness.ext4_disks import MEMORY, ext4_disk
from tests.harness.other_disks import disk_of
from tests.harness.other_mounts import memory_disk
from tests.harness.programs import run
from tests.system.old_disks import INNER, KATA, OUTER, STRAYS, convert, look, make_disk
from tests.system.stores import InEngine

OTHER = "12ABCDEF01"
TAKES = re.compile(
    r"\ncopies take ([\d.]+) MB and (\d+) inodes; where the volumes are ([\d.]+) MB and (\d+) inodes are free\n$"
)


@pytest.fixture
def katas(disk: Path) -> Path:
    """An old disk with two katas, one of which has 20 MB in it."""
    needs.root()
    make_disk(disk / "katas", KATA, OTHER)
    (disk / "katas" / OUTER / KATA[2:] / "large").write_bytes(b"x" * (20 << 20))
    with (disk / "katas" / OUTER / OTHER[2:] / "sparse").open("wb") as sparse:
        sparse.truncate(1 << 40)
    (disk / "volumes").mkdir()
    return disk / "katas"


def test_a_dry_run_tells_what_copies_take(katas: Path, disk: Path) -> None:
    wanted = [katas / OUTER / KATA[2:], katas / OUTER / OTHER[2:], *(katas / stray for stray in STRAYS)]
    inodes = {path.lstat().st_ino for top in wanted for path in [top, *top.rglob("*")]}
    used_kb = sum(int(run(["du", "-sk", path]).stdout.split()[0]) for path in wanted)
    with ext4_disk(disk / "volumes", 64, image_in=MEMORY) as volumes:
        told = TAKES.search(convert(katas, volumes, "--all", "--dry-run").stdout)
        free = os.statvfs(volumes)
    assert told is not None
    assert told[1] == f"{used_kb * 1024 / 1e6:.1f}"
    assert int(told[2]) == len(inodes)
    assert told[3] == f"{free.f_bavail * free.f_frsize / 1e6:.1f}"
    assert int(told[4]) == free.f_favail


@pytest.mark.parametrize("features", [(), ("-N", "16")], ids=["bytes", "inodes"])
def test_a_dry_run_fails_where_copies_have_no_room(katas: Path, disk: Path, features: tuple[str, ...]) -> None:
    for number in range(80):
        (katas / OUTER / KATA[2:] / f"empty-{number}").touch()
    with ext4_disk(disk / "volumes", 64 if features else 8, image_in=MEMORY, features=features) as volumes:
        finished = convert(katas, volumes, "--all", "--dry-run", status=1)
    assert re.fullmatch(r"katafs: copies take .* inodes are free: that is not enough", finished.stderr.splitlines()[-1])
    assert finished.stdout.count("\n") == 1


def test_what_is_there_already_takes_no_more_room(katas: Path, disk: Path) -> None:
    with ext4_disk(disk / "volumes", 64, image_in=MEMORY) as volumes:
        convert(katas, volumes, KATA, "--keep")
        assert TAKES.search(convert(katas, volumes, KATA, "--dry-run").stdout) is None


def test_what_is_moved_takes_no_room_and_what_is_kept_does(katas: Path, disk: Path) -> None:
    assert "\ncopies" not in convert(katas, disk / "volumes", "--all", "--dry-run").stdout
    assert TAKES.search(convert(katas, disk / "volumes", "--all", "--keep", "--dry-run").stdout)


def test_what_goes_to_another_subvolume_is_deleted_there_and_takes_no_room(disk: Path) -> None:
    """Each has an st_dev of its own, but the room is that of the one file system."""
    needs.root()
    with disk_of("btrfs", disk / "both") as both:
        for name in ("old", "volumes"):
            run(["btrfs", "subvolume", "create", both / name])
        make_disk(both / "old")
        with (both / "old" / OUTER / INNER / "large").open("wb") as large:
            os.posix_fallocate(large.fileno(), 0, 350 << 20)
        run(["sync", "--file-system", both])
        command = (both / "old", both / "volumes", KATA)
        assert "\ncopies" not in convert(*command, "--dry-run").stdout
        assert "that is not enough" in convert(*command, "--dry-run", "--keep", status=1).stderr
        assert convert(*command).stdout.startswith("copied 1;")


def test_a_file_system_that_counts_no_inodes_has_enough(katas: Path, disk: Path) -> None:
    with memory_disk(disk / "volumes"):
        run(["mount", "-o", "remount,size=64m,nr_inodes=0", disk / "volumes"])
        assert os.statvfs(disk / "volumes").f_files == 0
        told = convert(katas, disk / "volumes", "--all", "--dry-run").stdout
    assert re.search(r"\ncopies take [\d.]+ MB and \d+ inodes; where the volumes are [\d.]+ MB are free\n$", told)


@pytest.mark.xdist_group("docker")
def test_an_engine_without_volumes_does_not_say_where_they_will_be(katas: Path, engine: Engine) -> None:
    store = InEngine(engine).emptied()
    told = convert(katas, store.volumes, KATA, "--dry-run", env=store.env).stdout
    assert re.search(r"\ncopies take [\d.]+ MB and \d+ inodes; where to is known once there is a volume\n$", told)


def test_a_run_that_fills_the_disk_tells_what_is_to_be_done(katas: Path, disk: Path) -> None:
    with ext4_disk(disk / "volumes", 8, image_in=MEMORY) as volumes:
        finished = convert(katas, volumes, "--jobs", "1", KATA, OTHER, status=1)
    lines = finished.stderr.splitlines()
    assert lines[0] == f"{KATA}: failed: large: No space left on device"
    assert re.fullmatch(r"katafs: there is no room left: make some, and the next run goes on; "
                        r"where the volumes are [\d.]+ MB and \d+ inodes are free", lines[1])  # fmt: skip


@pytest.fixture
def large_xattr(disk: Path) -> Iterator[Path]:
    """An old disk with three katas, in a file system that can hold the large xattr that the second has."""
    needs.root()
    with ext4_disk(disk / "old", image_in=MEMORY, features=("-O", "ea_inode")) as old:
        make_disk(old, "11AAAAAAAA", KATA, "13AAAAAAAA")
        os.setxattr(old / OUTER / INNER / "manifest.json", "user.large", b"x" * 60_000)
        yield old


def test_an_xattr_that_the_volumes_can_not_hold_is_a_matter_of_its_kata(large_xattr: Path, disk: Path) -> None:
    before = look(large_xattr / OUTER / INNER)
    (disk / "volumes").mkdir()
    with ext4_disk(disk / "volumes", image_in=MEMORY) as volumes:
        finished = convert(large_xattr, volumes, "--all", "--jobs", "1", status=1)
        assert finished.stderr == (
            f"{KATA}: refused: manifest.json in it: its extended attribute user.large of 60000 bytes "
            "is too large for that file system\n"
        )
        assert (volumes / "11AAAAAAAA").is_dir()
        assert (volumes / "13AAAAAAAA").is_dir()
        assert not (volumes / KATA).exists()
    assert look(large_xattr / OUTER / INNER) == before


def test_an_xattr_for_which_the_disk_has_no_room_left_breaks_the_run_off(large_xattr: Path, disk: Path) -> None:
    (disk / "volumes").mkdir()
    with ext4_disk(disk / "volumes", 8, image_in=MEMORY, features=("-O", "ea_inode")) as volumes:
        free = os.statvfs(volumes)
        with (volumes / "other").open("wb") as other:
            os.posix_fallocate(other.fileno(), 0, free.f_bavail * free.f_frsize - (50 << 10))
        finished = convert(large_xattr, volumes, "--jobs", "1", KATA, "13AAAAAAAA", status=1)
        assert finished.stderr.startswith(f"{KATA}: failed: manifest.json: No space left on device\nkatafs: there is")
        assert not (volumes / KATA).exists()
