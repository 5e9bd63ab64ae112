"""The two sides: a plain directory on ext4, and one inside a kata on a mount whose store is on the same ext4."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.mount_table import mounts_below, tear_off
from tests.harness.mounts import mounting
from tests.harness.places import fresh_directory
from tests.harness.programs import run
from tests.posix.compare import Pair, Side

KATA = "5A0F824303"
EXT4_MAGIC = "ef53"
IMAGE_BYTES = 4 << 30  # sparse; the cases write little, but some to far offsets


@pytest.fixture(scope="session")
def ext4() -> Iterator[Path]:
    """A directory on a real ext4, which users may pass: on the disk, else on an image of its own."""
    needs.root()
    directory = fresh_directory()
    image = directory / "image"
    if run(["stat", "--file-system", "--format=%t", str(directory)]).stdout.strip() != EXT4_MAGIC:
        image.mkdir()
        with (directory / "ext4.img").open("wb") as file:
            file.truncate(IMAGE_BYTES)
        run(["mkfs.ext4", "-q", "-F", str(directory / "ext4.img")])
        run(["mount", "-o", "loop", str(directory / "ext4.img"), str(image)])
    try:
        yield image if image.exists() else directory
    finally:
        tear_off(image)
        assert not mounts_below(directory), f"still mounted below {directory}"
        # The cases leave trees too deep for shutil.rmtree.
        run(["rm", "-rf", str(directory)])


@pytest.fixture(scope="session")
def pair(ext4: Path) -> Iterator[Pair]:
    """Both sides, for all the cases of one process; each case has a new directory in them."""
    with mounting(ext4) as mount:
        mounted = mount()
        (mounted.path / KATA / "work").mkdir(parents=True)
        (ext4 / "plain").mkdir()
        backing = ext4 / "volumes" / KATA / "work"
        assert backing.is_dir(), "the kata's volume is not where the directory store keeps it"
        yield Pair(
            Side("ext4", str(ext4 / "plain"), str(ext4 / "plain")),
            Side("the mount", str(mounted.path / KATA / "work"), str(backing)),
        )
