"""Mounts that aren't katafs, for tests of what it does where one is in its way or below a volume. Needs root."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness.programs import run


@contextmanager
def bound(source: Path, target: Path) -> Iterator[None]:
    """`source` also at `target`."""
    with _mounted(["mount", "--bind", str(source), str(target)], target):
        yield


@contextmanager
def ext4_image(image: Path, target: Path) -> Iterator[None]:
    """A new ext4 file system, in a file, at `target`."""
    with image.open("wb") as file:
        file.truncate(16 << 20)
    run(["mkfs.ext4", "-q", "-F", image])
    with _mounted(["mount", "-o", "loop", str(image), str(target)], target):
        yield


@contextmanager
def _mounted(command: list[str], target: Path) -> Iterator[None]:
    run(command)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(target)], check=True, timeout=60)
