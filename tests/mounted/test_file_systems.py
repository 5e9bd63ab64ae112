"""Volumes on other file systems than ext4: what those do otherwise, programs meet through the mount too."""

import errno
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.mounts import Mounts
from tests.harness.other_disks import KINDS, disk_of
from tests.harness.programs import run
from tests.harness.refusals import refused

FULL, FREE = "123456789A", "ABCDEF0123"
BLOCK = 1 << 20
QUOTA = 8 * BLOCK


@contextmanager
def mounted_on(kind: str, disk: Path, mount: Mounts) -> Iterator[tuple[Path, Path]]:
    """A mount, and the volumes below it on a disk of this kind."""
    with disk_of(kind, disk / "other") as volumes:
        daemon = mount(volumes=f"dir:{volumes}")
        try:
            yield daemon.path, volumes
        finally:
            daemon.stop()


def numbers(top: Path) -> list[int]:
    return [path.stat().st_ino for path in sorted(top.rglob("*"))]


@pytest.mark.parametrize("kind", KINDS)
def test_find_descends_and_rsync_finds_nothing_to_do(disk: Path, mount: Mounts, kind: str) -> None:
    """On btrfs a directory has one link however many are in it."""
    with mounted_on(kind, disk, mount) as (path, volumes):
        (path / FULL / "one" / "two" / "three").mkdir(parents=True)
        (path / FULL / "one" / "two" / "three" / "f").write_bytes(b"content")
        os.setxattr(path / FULL / "one", "user.large", b"x" * 10_000)

        assert run(["find", path / FULL, "-type", "f", "-name", "f"]).stdout.count("\n") == 1
        assert run(["rsync", "-aHXin", f"{path / FULL}/", f"{volumes / FULL}/"]).stdout == ""
        assert numbers(path / FULL) == numbers(volumes / FULL)


def test_a_subvolume_is_a_directory_of_another_file_system(disk: Path, mount: Mounts) -> None:
    with mounted_on("btrfs", disk, mount) as (path, volumes):
        (path / FULL).mkdir()
        for name in ("one", "two"):
            run(["btrfs", "subvolume", "create", volumes / FULL / name])
            (path / FULL / name / "f").write_text(name)

        assert (volumes / FULL / "one" / "f").stat().st_ino == (volumes / FULL / "two" / "f").stat().st_ino
        found = numbers(path / FULL)
        assert len(set(found)) == len(found) == 4
        with refused(errno.EXDEV):
            os.rename(path / FULL / "one" / "f", path / FULL / "two" / "g")
        run(["mv", path / FULL / "one" / "f", path / FULL / "two" / "g"])
        assert (volumes / FULL / "two" / "g").read_text() == "one"
        run(["rm", "-r", path / FULL])
        assert not (volumes / FULL).exists()


@pytest.mark.parametrize("flag", [0, os.O_APPEND, os.O_DIRECT], ids=["plain", "append", "direct"])
def test_a_volumes_quota_is_told_to_who_writes_there(disk: Path, mount: Mounts, flag: int) -> None:
    with mounted_on("btrfs", disk, mount) as (path, volumes):
        run(["btrfs", "quota", "enable", volumes])
        run(["btrfs", "subvolume", "create", volumes / FULL])
        run(["btrfs", "qgroup", "limit", str(QUOTA), volumes / FULL])
        (path / FREE).mkdir()

        descriptor = os.open(path / FULL / "f", os.O_CREAT | os.O_WRONLY | flag)
        try:
            with mmap.mmap(-1, BLOCK) as block, refused(errno.EDQUOT):
                for _ in range(2 * QUOTA // BLOCK):
                    os.write(descriptor, block)
        finally:
            os.close(descriptor)
        (path / FREE / "f").write_bytes(bytes(2 * QUOTA))

        assert QUOTA - BLOCK < (volumes / FULL / "f").stat().st_size < QUOTA
        assert (volumes / FREE / "f").stat().st_size == 2 * QUOTA
