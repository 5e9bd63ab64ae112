"""Pages of a mapping that the daemon writes to the volume: whole, or with an error that msync(2) has."""

import errno
import mmap
import os
import resource
from pathlib import Path

from tests.harness import needs
from tests.harness.faulty_katafs import asking
from tests.harness.mounts import Mounts
from tests.harness.refusals import refused
from tests.mounted.served import fresh_id

PAGES = 4


def test_pages_of_which_a_part_has_room_are_an_error(mount: Mounts, disk: Path) -> None:
    """As on a disk that is nearly full."""
    needs.root()
    mounted = mount(program=asking())
    (mounted.path / (kata := fresh_id())).mkdir()
    descriptor = os.open(mounted.path / kata / "f", os.O_RDWR | os.O_CREAT)
    os.ftruncate(descriptor, PAGES * mmap.PAGESIZE)
    with mmap.mmap(descriptor, PAGES * mmap.PAGESIZE) as mapped:
        mapped[:] = b"x" * len(mapped)
        limits = resource.prlimit(mounted.pid, resource.RLIMIT_FSIZE, (mmap.PAGESIZE, resource.RLIM_INFINITY))
        with refused(errno.EFBIG):
            mapped.flush()
        resource.prlimit(mounted.pid, resource.RLIMIT_FSIZE, limits)
    os.close(descriptor)

    assert (disk / "volumes" / kata / "f").read_bytes().count(b"x") == mmap.PAGESIZE


def test_who_only_reads_has_no_error_of_them_at_the_close(mount: Mounts) -> None:
    needs.root()
    needs.closes_that_flush_nothing()
    mounted = mount(program=asking())
    (mounted.path / (kata := fresh_id())).mkdir()
    file = mounted.path / kata / "f"
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT)
    os.ftruncate(descriptor, PAGES * mmap.PAGESIZE)
    with mmap.mmap(descriptor, PAGES * mmap.PAGESIZE) as mapped:
        mapped[:] = b"x" * len(mapped)
        limits = resource.prlimit(mounted.pid, resource.RLIMIT_FSIZE, (mmap.PAGESIZE, resource.RLIM_INFINITY))
        os.close(os.open(file, os.O_RDONLY))
        with refused(errno.EFBIG):
            mapped.flush()
        resource.prlimit(mounted.pid, resource.RLIMIT_FSIZE, limits)
    os.close(descriptor)
