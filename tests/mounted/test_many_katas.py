"""A mount of 100,000 katas: its memory is bounded, and all of them are there."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.stub_engine import stub_engine
from katafs.namespace import Layout
from tests.harness import needs
from tests.harness.mounts import Mounts, mounting
from tests.harness.other_mounts import memory_disk
from tests.mounted.served import Served

KATAS = 100_000
RESIDENT_KIB = 200 * 1000
"""What docs/scale.md promises after the start."""
NAMES = [f"{number * 0x9E3779B1 % 16**10:010X}" for number in range(KATAS)]


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@pytest.fixture
def directories(disk: Path) -> Iterator[Served]:
    """A mount of so many directories."""
    needs.root()
    volumes = disk / "volumes"
    volumes.mkdir()
    with memory_disk(volumes):
        for name in NAMES:
            os.mkdir(volumes / name)
        with mounting(disk) as mount:
            yield Served(mount(), volumes, Layout.FLAT)


def test_so_many_directories_take_little_memory_and_are_all_there(directories: Served) -> None:
    at_start = resident_kib(directories.mounted.pid)
    listed = os.listdir(directories.top)

    assert at_start < RESIDENT_KIB
    assert sorted(listed) == sorted(NAMES)
    assert resident_kib(directories.mounted.pid) < RESIDENT_KIB * 3 // 2


def test_so_many_volumes_of_an_engine_take_little_memory(disk: Path, mount: Mounts) -> None:
    (disk / "data" / "lion").mkdir(parents=True)
    with stub_engine(disk / "stub", NAMES, disk / "data") as url:
        mounted = mount("--read-only", volumes="docker", env={"DOCKER_HOST": url})
        resident = resident_kib(mounted.pid)
        inside = {name: os.listdir(mounted.path / name) for name in NAMES[:: KATAS // 10]}
        mounted.stop()

    assert resident < RESIDENT_KIB
    assert list(inside.values()) == [["lion"]] * 10
