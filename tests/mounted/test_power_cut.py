"""What fsync(2) and its like have returned for through the mount is on the disk: it is there after a power cut."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.ext4_disks import LAZY, made_image, mounted_image
from tests.harness.mounts import mounting

KATA = "123456789A"


def written(path: Path, sync: Callable[[int], None], flags: int = 0) -> None:
    """Write a file through the mount."""
    descriptor = os.open(path / "new", os.O_WRONLY | os.O_CREAT | flags)
    try:
        os.write(descriptor, b"content")
        sync(descriptor)
    finally:
        os.close(descriptor)


def named(path: Path) -> None:
    """Make a name, and sync the directory that has it."""
    (path / "new").symlink_to("content")
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def content(path: Path) -> str:
    """What the new file has, or the new link."""
    return os.readlink(path) if path.is_symlink() else path.read_text()


SYNCS: dict[str, Callable[[Path], None]] = {
    "fsync": lambda path: written(path, os.fsync),
    "fdatasync": lambda path: written(path, os.fdatasync),
    "O_SYNC": lambda path: written(path, lambda _: None, os.O_SYNC),
    "fsync of a directory": named,
}


@pytest.mark.parametrize("sync", SYNCS.values(), ids=list(SYNCS))
def test_what_was_synced_is_there_after_a_power_cut(disk: Path, sync: Callable[[Path], None]) -> None:
    """What the disk has by then is what the image's copy has."""
    needs.root()
    needs.programs("mkfs.ext4", "losetup")
    made_image(disk / "image", 32)
    with mounted_image(disk / "image", disk / "before", options=LAZY) as before:
        (before / KATA).mkdir()
        with mounting(disk) as mount:
            sync(mount(volumes=f"dir:{before}").path / KATA)
            shutil.copyfile(disk / "image", disk / "cut")
    with mounted_image(disk / "cut", disk / "after") as after:
        assert content(after / KATA / "new") == "content"
