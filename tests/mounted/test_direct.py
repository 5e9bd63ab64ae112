"""O_DIRECT on the mount: what others write meanwhile stays, and shows, whatever fails."""

import errno
import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.ext4_disks import MEMORY, made_image, mounted_image
from tests.harness.mounts import Mounts
from tests.harness.refusals import refused
from tests.mounted.served import fresh_id

KATA = "123456789A"
PAST_THE_LARGEST = 1 << 44
"""No file of ext4's reaches there."""
SHUTDOWN, WITHOUT_ITS_LOG = 0x8004587D, struct.pack("=I", 2)
"""EXT4_IOC_SHUTDOWN of linux/ext4.h: the disk is as if the machine had lost its power."""


@pytest.fixture
def lasting(disk: Path, mount: Mounts) -> tuple[Path, Path]:
    """A file on the mount, and behind it; the kernel may keep what it knows of it for an hour."""
    kata = fresh_id()
    shown = mount("-o", "timeout=3600").path / kata
    shown.mkdir()
    (shown / "f").write_bytes(b"x" * 100)
    (shown / "f").stat()  # the kernel knows the size from now on
    return shown / "f", disk / "volumes" / kata / "f"


@pytest.fixture
def page() -> Iterator[mmap.mmap]:
    """A buffer that is aligned as O_DIRECT wants it."""
    with mmap.mmap(-1, 4096) as buffer:
        yield buffer


def append(behind: Path, content: bytes) -> None:
    """As a container does."""
    with behind.open("ab") as file:
        file.write(content)


def test_a_write_that_fails_takes_nothing_away(lasting: tuple[Path, Path], page: mmap.mmap) -> None:
    needs.uncached_mappings()
    shown, behind = lasting
    descriptor = os.open(shown, os.O_RDWR | os.O_DIRECT)
    append(behind, b"y" * 100)

    with refused(errno.EFBIG):
        os.pwrite(descriptor, page, PAST_THE_LARGEST)
    os.close(descriptor)

    assert behind.read_bytes() == b"x" * 100 + b"y" * 100


def test_what_was_appended_behind_an_open_file_is_read_at_once(lasting: tuple[Path, Path], page: mmap.mmap) -> None:
    needs.uncached_mappings()
    shown, behind = lasting
    descriptor = os.open(shown, os.O_RDONLY | os.O_DIRECT)
    append(behind, b"y" * 100)

    size_bytes = os.preadv(descriptor, [page], 0)
    os.close(descriptor)

    assert page[:size_bytes] == b"x" * 100 + b"y" * 100


@pytest.mark.parametrize("other", [0, os.O_APPEND], ids=["plain", "append"])
@pytest.mark.parametrize("first", ["direct", "other"])
def test_a_mapping_and_another_open_file_have_its_content(
    lasting: tuple[Path, Path], page: mmap.mmap, other: int, first: str
) -> None:
    shown, behind = lasting
    shown.write_bytes(b"x" * 4096)
    flags = {"direct": os.O_RDWR | os.O_DIRECT, "other": os.O_RDWR | other}
    opened = {kind: os.open(shown, flags[kind]) for kind in sorted(flags, key=lambda kind: kind != first)}
    seen = []
    with mmap.mmap(opened["direct"], 4096) as mapped, mmap.mmap(opened["other"], 4096) as others:
        for number in range(100):
            page[:] = b"%04d" % number * 1024
            os.pwrite(opened["direct"], page, 0)
            written = page[:]
            seen.append(written == mapped[:] == others[:] == os.pread(opened["other"], 4096, 0) == behind.read_bytes())
            (mapped, others)[number % 2][8:12] = b"page"
            os.preadv(opened["direct"], [page], 0)
            seen.append(page[:16] == written[:8] + b"page" + written[12:16])
    for descriptor in opened.values():
        os.close(descriptor)

    assert seen == [True] * 200


@pytest.mark.parametrize("flag", [os.RWF_DSYNC, os.RWF_SYNC], ids=["data", "all"])
def test_what_is_to_be_on_the_disk_when_it_is_written_is_there(
    disk: Path, mount: Mounts, page: mmap.mmap, flag: int
) -> None:
    """pwritev2(2) says so of one write, with any open file."""
    needs.root()
    image = MEMORY / f"{disk.name}.img"
    page[:] = b"kept" * 1024
    try:
        made_image(image, 16)
        with mounted_image(image, disk / "other") as other:
            (other / "volumes").mkdir()
            mounted = mount(volumes=f"dir:{other / 'volumes'}")
            (mounted.path / KATA).mkdir()
            descriptor = os.open(mounted.path / KATA / "f", os.O_WRONLY | os.O_CREAT | os.O_DIRECT)
            os.fsync(descriptor)
            os.pwritev(descriptor, [page], 0, flag)
            os.close(descriptor)
            stopped = os.open(other, os.O_RDONLY)
            fcntl.ioctl(stopped, SHUTDOWN, WITHOUT_ITS_LOG)
            os.close(stopped)
            mounted.stop()
        with mounted_image(image, disk / "other") as other:
            assert (other / "volumes" / KATA / "f").read_bytes() == page[:]
    finally:
        image.unlink()
