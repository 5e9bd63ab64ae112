"""Disks with other file systems than ext4 that servers have, in image files in memory, mounted by loop. Need root."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness import needs
from tests.harness.ext4_disks import MEMORY, mounted_image
from tests.harness.programs import run

KINDS = ("xfs", "btrfs")
_BYTES = 512 << 20
"""Neither is made much smaller. The file is sparse."""


def made_image_of(kind: str, image: Path) -> None:
    """Make an image file with an empty file system of the kind."""
    needs.file_system(kind)
    with image.open("wb") as file:
        file.truncate(_BYTES)
    run([f"mkfs.{kind}", "-q", image])


@contextmanager
def disk_of(kind: str, target: Path) -> Iterator[Path]:
    """A new file system of the kind at `target`."""
    with tempfile.NamedTemporaryFile(prefix="katafs-", suffix=".img", dir=MEMORY) as image:
        made_image_of(kind, Path(image.name))
        with mounted_image(Path(image.name), target, options="loop") as disk:
            yield disk
