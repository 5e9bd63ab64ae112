"""On Linux 5.4, which lacks calls that katafs makes elsewhere, everything works. The other tests of this folder and of
tests/posix run there with KATAFS_TEST_LINUX=5.4."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from katafs.namespace import Layout
from tests.harness import needs
from tests.harness.linux_5_4 import PROGRAM
from tests.harness.mounts import mounting
from tests.harness.old_disk import FILES, old_disk
from tests.harness.other_mounts import bound
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.refusals import refused
from tests.mounted.served import LegacyServed, Served, fresh_id

ACCESSED_NS, MODIFIED_NS = 1_000_000_001, 2_000_000_002


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    needs.root()
    directory = fresh_directory()
    with mounting(directory) as mount:
        yield Served(mount(program=PROGRAM), directory / "volumes", Layout.FLAT)
    remove_directory(directory)


def test_a_katas_files_are_made_found_replaced_and_removed(served: Served) -> None:
    kata = served.make(fresh_id())
    (kata / "f").write_text("one")
    (kata / "new").write_text("two")
    os.replace(kata / "new", kata / "f")
    assert (os.listdir(kata), (kata / "f").read_text()) == (["f"], "two")
    with refused(errno.EEXIST):
        os.open(kata / "f", os.O_CREAT | os.O_EXCL)
    with refused(errno.ENOENT):
        os.stat(kata / "new")
    os.unlink(kata / "f")
    os.rmdir(kata)
    assert not kata.exists()


@pytest.mark.parametrize("what", ["file", "directory", "link", "link to nothing"])
def test_times_are_set_to_the_nanosecond(served: Served, what: str) -> None:
    kata = served.make(fresh_id())
    (kata / "f").touch()
    (kata / "directory").mkdir()
    (kata / "link").symlink_to("f")
    (kata / "link to nothing").symlink_to("nothing")
    before = (kata / "f").stat().st_mtime_ns
    path = kata / ("f" if what == "file" else what)

    os.utime(path, ns=(ACCESSED_NS, MODIFIED_NS), follow_symlinks=False)

    told = os.lstat(served.volume(kata.name) / path.name)
    assert (told.st_atime_ns, told.st_mtime_ns) == (ACCESSED_NS, MODIFIED_NS)
    assert what == "file" or (kata / "f").stat().st_mtime_ns == before


@pytest.mark.parametrize("what", ["directory", "file"])
def test_what_is_mounted_in_a_volume_is_not_shown(served: Served, disk: Path, what: str) -> None:
    """Also where it is of the same disk, and has its number."""
    volume = served.appear(fresh_id())
    for place in (disk / "secret", volume / "place"):
        place.mkdir() if what == "directory" else place.touch()
    with bound(disk / "secret", volume / "place"), refused(errno.EXDEV):
        os.stat(served.path(volume.name) / "place")


def test_a_kata_of_the_old_disk_is_converted_at_its_first_change(disk: Path) -> None:
    needs.root()
    with old_disk(disk, "copy") as old, mounting(disk) as mount:
        mounted = mount("--legacy", str(old.path), program=PROGRAM)
        legacy = LegacyServed(mounted, disk / "volumes", Layout.FLAT, old)
        kata = legacy.old()

        (legacy.path(kata) / "new").write_text("new")

        assert legacy.is_converted(kata)
        assert all((legacy.volume(kata) / name).read_text() == content for name, content in FILES.items())
        assert (legacy.volume(kata) / "manifest.json").stat().st_mtime_ns == 1_234_567_890_123_456_789
