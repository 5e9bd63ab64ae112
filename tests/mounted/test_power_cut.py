"""What fsync(2) and its like have returned for through the mount is on the disk: it is there after a power cut."""

import mmap
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.ext4_disks import LAZY, made_image, mounted_image
from tests.harness.mounts import mounting
from tests.posix.syscalls import LIBC

KATA = "123456789A"
CONTENT = b"content"


def written(path: Path, sync: Callable[[int], None], flags: int = 0) -> None:
    """Write a file through the mount."""
    descriptor = os.open(path / "new", os.O_WRONLY | os.O_CREAT | flags)
    try:
        os.write(descriptor, CONTENT)
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


def mapped(path: Path) -> None:
    """Write to a page of a file that was synced empty."""
    with open(path / "new", "x+b") as file:
        file.truncate(len(CONTENT))
        os.fsync(file.fileno())
        with mmap.mmap(file.fileno(), len(CONTENT)) as page:
            page[:] = CONTENT
            page.flush()


def content(path: Path) -> str:
    """What the new file has, or the new link."""
    return os.readlink(path) if path.is_symlink() else path.read_text()


SYNCS: dict[str, Callable[[Path], None]] = {
    "fsync": lambda path: written(path, os.fsync),
    "fdatasync": lambda path: written(path, os.fdatasync),
    "O_SYNC": lambda path: written(path, lambda _: None, os.O_SYNC),
    "fsync of a directory": named,
    "msync": mapped,
    "sync": lambda path: written(path, lambda _: os.sync()),
}


@pytest.mark.parametrize("sync", SYNCS.values(), ids=list(SYNCS))
def test_what_was_synced_is_there_after_a_power_cut(disk: Path, sync: Callable[[Path], None]) -> None:
    with after_a_cut(disk, sync) as kata:
        assert content(kata / "new") == CONTENT.decode()


def test_syncfs_of_the_mount_writes_nothing(disk: Path) -> None:
    """The kernel passes it on to no FUSE mount of this kind, and answers that all is well: what is asked of fsync(2)
    and sync(2) can't be asked of it, as README's limits say."""

    def syncfs(descriptor: int) -> None:
        assert LIBC.syncfs(descriptor) == 0

    with after_a_cut(disk, lambda path: written(path, syncfs)) as kata:
        assert not (kata / "new").exists()


@contextmanager
def after_a_cut(disk: Path, change: Callable[[Path], None]) -> Iterator[Path]:
    """The kata as the disk has it when the change through the mount is done: as the image's copy has it."""
    needs.root()
    needs.programs("mkfs.ext4", "losetup")
    made_image(disk / "image", 32)
    with mounted_image(disk / "image", disk / "before", options=LAZY) as before:
        (before / KATA).mkdir()
        with mounting(disk) as mount:
            change(mount(volumes=f"dir:{before}").path / KATA)
            shutil.copyfile(disk / "image", disk / "cut")
    with mounted_image(disk / "cut", disk / "after") as after:
        yield after / KATA
