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
KATAS = "FE{:08X}"
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
        run(["rm", "-rf", str(directory)], timeout=250)


@pytest.fixture(scope="session")
def mounted(ext4: Path) -> Iterator[Path]:
    """A mount for all the cases of one process."""
    with mounting(ext4) as mount:
        yield mount().path


@pytest.fixture(scope="session")
def pair(ext4: Path, mounted: Path) -> Pair:
    """Both sides; each case has a new directory in them. The mount's is in a kata."""
    (mounted / KATA / "work").mkdir(parents=True)
    return _pair(ext4 / "plain", mounted / KATA / "work", ext4 / "volumes" / KATA / "work")


@pytest.fixture(scope="session")
def root_volume(ext4: Path, mounted: Path) -> Pair:
    """As `pair`, where the mount's side is among what belongs to no kata."""
    (mounted / "work").mkdir()
    return _pair(ext4 / "plain-too", mounted / "work", ext4 / "volumes" / "katafs_root" / "work")


@pytest.fixture(scope="session")
def new_katas(ext4: Path, mounted: Path) -> Pair:
    """As `pair`, where each case on the mount has a kata of its own: its directory is the top of a volume."""
    (ext4 / "plain-katas").mkdir()
    return Pair(
        Side("ext4", str(ext4 / "plain-katas"), str(ext4 / "plain-katas")),
        Side("a new kata", str(mounted), str(ext4 / "volumes"), naming=KATAS),
    )


def _pair(plain: Path, work: Path, backing: Path) -> Pair:
    plain.mkdir()
    assert backing.is_dir(), "the directory store keeps the volume elsewhere"
    return Pair(Side("ext4", str(plain), str(plain)), Side("the mount", str(work), str(backing)))
