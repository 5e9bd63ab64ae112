"""A disk on which an inode is damaged, as after a power cut: all else on it is served, and the damage is told."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.ext4_disks import MEMORY, made_image, mounted_image
from tests.harness.mounts import mounting
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.programs import run
from tests.harness.refusals import refused

KATA = "123456789A"
NAMES = [f"{number:02}" for number in range(40)]
DAMAGED = NAMES[20]


@pytest.fixture
def image() -> Iterator[Path]:
    """A file system with a kata of which one file's inode makes no sense."""
    needs.root()
    needs.programs("debugfs")
    directory = fresh_directory()
    image = MEMORY / f"{directory.name}.img"
    made_image(image, 16)
    try:
        with mounted_image(image, directory / "made") as made:
            kata = made / "volumes" / KATA
            kata.mkdir(parents=True)
            for name in NAMES:
                (kata / name).write_text(name)
        run(["debugfs", "-w", "-R", f"set_inode_field /volumes/{KATA}/{DAMAGED} block[0] 0xffffffff", image])
        yield image
    finally:
        image.unlink()
        remove_directory(directory)


def test_a_damaged_file_takes_no_others_out_of_a_listing(image: Path, disk: Path) -> None:
    with mounted_image(image, disk / "store") as store, mounting(disk) as mount:
        mounted = mount(volumes=f"dir:{store}/volumes")
        mounted.expect(f"failed operation=lookup error=.*{DAMAGED}")
        kata = mounted.path / KATA

        assert sorted(entry.name for entry in os.scandir(kata)) == NAMES
        with refused(errno.EUCLEAN):
            (kata / DAMAGED).lstat()
        assert (kata / NAMES[-1]).read_text() == NAMES[-1]
        mounted.wait_for_log(f"WARNING: failed operation=lookup error=.*{DAMAGED}.* path=/{KATA}")
        mounted.stop()
