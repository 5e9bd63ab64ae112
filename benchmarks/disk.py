"""A disk on which nothing was ever deleted.

ext4 passes over inodes that were deleted in the last minutes, and then every
candidate's creates take several times as long, so that what a daemon adds to them hardly shows.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BYTES = 16 << 30
"""A file that holds only what is written to it."""


@contextmanager
def fresh_disk(directory: Path) -> Iterator[Path]:
    """The top of an ext4 in a file below the directory. Raises CalledProcessError where it can't be made or mounted."""
    image, top = directory / "disk", directory / "top"
    with image.open("wb") as file:
        file.truncate(_BYTES)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    top.mkdir()
    subprocess.run(["mount", "-o", "loop,noinit_itable", str(image), str(top)], check=True)
    try:
        yield top
    finally:
        subprocess.run(["umount", str(top)], check=True)
