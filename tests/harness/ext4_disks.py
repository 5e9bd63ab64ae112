"""A second disk: an ext4 file system in an image file, mounted by loop. Needs root."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.harness import waiting
from tests.harness.mount_table import mount_at, tear_off
from tests.harness.programs import run

MEMORY = Path("/dev/shm")
"""Where an image is in memory."""
QUIET = "loop,noinit_itable"
"""Nothing is written to it in the background: benchmarks are made on it too."""
LAZY = f"{QUIET},commit=300"
"""The disk has nothing before somebody syncs it."""


def made_image(image: Path, size_mb: int, *features: str) -> None:
    """Make an image file with an empty file system, which any user may reach."""
    with image.open("wb") as file:
        file.truncate(size_mb << 20)
    run(["mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,nodiscard", *features, image])


@contextmanager
def mounted_image(image: Path, target: Path, *, options: str = QUIET) -> Iterator[Path]:
    """The image's file system at `target`, without its lost+found; unmounted and let go of in any case."""
    target.mkdir(exist_ok=True)
    run(["mount", "-o", options, image, target])
    try:
        if (target / "lost+found").exists():
            (target / "lost+found").rmdir()
        yield target
    finally:
        _unmount(target)
        waiting.until(lambda: not run(["losetup", "--noheadings", "--associated", image]).stdout, "the loop's end")


@contextmanager
def ext4_disk(
    target: Path, size_mb: int = 64, image_in: Path | None = None, features: Sequence[str] = ()
) -> Iterator[Path]:
    """A new file system at `target`, whose image lies beside it, or in another directory; with options of mkfs."""
    descriptor, name = tempfile.mkstemp(prefix="katafs-", suffix=".img", dir=image_in or target.parent)
    os.close(descriptor)
    image = Path(name)
    try:
        made_image(image, size_mb, *features)
        with mounted_image(image, target) as disk:
            yield disk
    finally:
        image.unlink()


@contextmanager
def disk_and_volumes(directory: Path, *, in_two: bool) -> Iterator[tuple[Path, Path]]:
    """A directory for an old disk, and one below it for volumes: in one new file system, or in two.

    In memory, since a conversion waits for its disks several times."""
    with ExitStack() as mounted:
        old = mounted.enter_context(ext4_disk(directory / "old", image_in=MEMORY))
        volumes = old / "volumes"
        volumes.mkdir()
        if in_two:
            mounted.enter_context(ext4_disk(volumes, image_in=MEMORY))
        yield old, volumes


def _unmount(target: Path) -> None:
    def unmounted() -> bool:
        return subprocess.run(["umount", str(target)], capture_output=True, timeout=60, check=False).returncode == 0

    if not waiting.holds_within(unmounted, waiting.DEADLINE_S):
        held = run(["fuser", "--verbose", "--mount", target], status=None)
        tear_off(target)
        raise AssertionError(f"still in use: {target}\n{held}")
    assert mount_at(target) is None
