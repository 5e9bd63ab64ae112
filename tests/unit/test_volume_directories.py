"""The directory store's own promises, beyond the contract of all stores."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from katafs.errors import StoreUnreachable, VolumeRefused
from katafs.kata_id import VolumeName
from katafs.rooted.inodes import is_settled
from katafs.volumes.directories import DirectoryStore
from katafs.volumes.directory_listing import DirectoryListing
from katafs.volumes.names import Prefix
from tests.harness import needs, waiting
from tests.harness.programs import NOBODY

KATA = VolumeName("123456789A")
OTHER = VolumeName("FEDCBA9876")


def test_a_missing_directory_is_said_in_one_line(disk: Path) -> None:
    with pytest.raises(StoreUnreachable) as caught:
        DirectoryStore(disk / "none")
    expected = f"the directory of volumes {disk}/none does not exist: make it, or mount the disk that it is on"
    assert str(caught.value) == expected


def test_a_missing_directory_is_not_made(disk: Path) -> None:
    with pytest.raises(StoreUnreachable):
        DirectoryStore(disk / "none")
    assert not (disk / "none").exists()


def test_a_missing_directory_is_made_with_those_above_it_when_told(disk: Path) -> None:
    DirectoryStore(disk / "lib/katafs/volumes", create_missing=True).close()
    assert (disk / "lib/katafs/volumes").is_dir()


def test_nobody_else_runs_a_program_that_a_container_left_in_one_that_was_made(disk: Path) -> None:
    """Root's own, with set-user-ID: no mount of the store would let it be that."""
    needs.root()
    disk.chmod(0o755)
    with closing(DirectoryStore(disk / "volumes", create_missing=True)) as store:
        store.create(KATA)
    for place in (disk, disk / "volumes" / KATA):
        shutil.copy("/usr/bin/id", place / "program")
        (place / "program").chmod(0o4755)

    assert NOBODY.run([disk / "program", "-u"]).stdout == "0\n"
    with pytest.raises(PermissionError):
        NOBODY.run([disk / "volumes" / KATA / "program", "-u"])


def test_a_file_in_place_of_the_directory_is_refused(disk: Path) -> None:
    (disk / "file").touch()
    with pytest.raises(StoreUnreachable, match="file can't be opened: Not a directory"):
        DirectoryStore(disk / "file")


def test_a_link_to_a_directory_serves_as_the_directory(disk: Path) -> None:
    (disk / "link").symlink_to(disk)
    store = DirectoryStore(disk / "link")
    store.create(KATA)
    store.close()
    assert (disk / KATA).is_dir()


def test_its_url_is_what_the_command_line_takes(disk: Path) -> None:
    store = DirectoryStore(disk)
    store.close()
    assert store.url == f"dir:{disk}"


def test_a_volume_is_a_directory_of_its_name(disk: Path) -> None:
    store = DirectoryStore(disk, "test-")
    store.create(KATA)
    store.close()
    assert os.listdir(disk) == ["test-123456789A"]


def test_a_link_in_place_of_a_volume_is_not_followed(disk: Path) -> None:
    (disk / KATA).symlink_to("/etc")
    store = DirectoryStore(disk)
    with pytest.raises(VolumeRefused, match=f"{KATA} is refused: {disk}/{KATA} is not a directory"):
        store.open(KATA)
    store.close()


def test_a_link_in_place_of_a_volume_is_not_removed(disk: Path) -> None:
    (disk / KATA).symlink_to("/etc")
    store = DirectoryStore(disk)
    with pytest.raises(VolumeRefused):
        store.remove(KATA)
    store.close()
    assert (disk / KATA).is_symlink()


def test_a_directory_that_vanished_is_no_store_without_volumes(disk: Path) -> None:
    store = vanished(disk)
    with pytest.raises(StoreUnreachable, match="is gone: No such file or directory"):
        store.exists(OTHER)
    assert "is gone: No such file or directory" in (store.fault() or "")
    store.close()


def test_nothing_is_opened_in_a_directory_that_vanished(disk: Path) -> None:
    store = vanished(disk)
    with pytest.raises(StoreUnreachable):
        store.open(KATA)
    store.close()


def test_nothing_is_created_in_a_directory_that_vanished(disk: Path) -> None:
    store = vanished(disk)
    with pytest.raises(StoreUnreachable):
        store.create(OTHER)
    store.close()


def test_nothing_is_removed_from_a_directory_that_vanished(disk: Path) -> None:
    store = vanished(disk)
    with pytest.raises(StoreUnreachable):
        store.remove(KATA)
    store.close()
    assert (disk / "aside" / KATA).is_dir()


def test_what_was_known_stays_in_the_catalog_when_the_directory_vanished(disk: Path) -> None:
    store = vanished(disk)
    names = store.catalog().names()
    store.close()
    assert names == {KATA}


def test_an_empty_directory_in_its_place_is_no_store_without_volumes(disk: Path) -> None:
    store = vanished(disk)
    (disk / "volumes").mkdir()
    with pytest.raises(StoreUnreachable, match="another one is in its place"):
        store.exists(KATA)
    store.close()


def test_a_directory_that_is_back_is_served_again(disk: Path) -> None:
    store = vanished(disk)
    (disk / "aside").rename(disk / "volumes")
    assert store.exists(KATA)
    store.close()


def test_all_changes_behind_it_show_however_fast_they_follow_each_other(disk: Path) -> None:
    store = DirectoryStore(disk)
    for number in range(50):
        name = VolumeName(f"{number:010X}")
        (disk / name).mkdir()
        store.catalog()
    waiting.until(lambda: store.catalog().count() == 50, "all volumes to be in the catalog")
    store.close()


def test_what_the_store_made_and_others_removed_is_gone(disk: Path) -> None:
    store = DirectoryStore(disk)
    store.create(KATA)
    (disk / KATA).rmdir()
    waiting.until(lambda: store.catalog().count() == 0, "the volume to leave the catalog")
    store.close()


def test_what_the_store_removed_and_others_made_is_there(disk: Path) -> None:
    store = DirectoryStore(disk)
    store.create(KATA)
    store.remove(KATA)
    (disk / KATA).mkdir()
    waiting.until(lambda: store.catalog().count() == 1, "the volume to be in the catalog")
    store.close()


class CountingPrefix(Prefix):
    """Counts the names that it was given."""

    stripped = 0

    def strip(self, stored: str) -> VolumeName | None:
        self.stripped += 1
        return super().strip(stored)


def test_a_listing_reads_the_names_only_that_are_new(disk: Path) -> None:
    """Else each kata that is made would cost as much as all there are."""
    for number in range(100):
        (disk / f"{number:010X}").mkdir()
    prefix = CountingPrefix("")
    with open_directory(disk) as descriptor:
        listing = DirectoryListing(descriptor, prefix)
        (disk / OTHER).mkdir()
        (disk / f"{0:010X}").rmdir()

        def seen() -> bool:
            listing.refresh()
            return OTHER in listing.catalog

        waiting.until(seen, "the new one to be seen")

    assert listing.catalog.count() == 100
    assert prefix.stripped == 100 + 2


def test_closing_leaves_no_descriptor(disk: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    store = DirectoryStore(disk)
    store.create(KATA)
    store.catalog()
    store.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_ordinary_user_has_a_store_too(disk: Path) -> None:
    needs.root()
    os.chown(disk, NOBODY.uid, NOBODY.gid)
    assert NOBODY.call(created_and_removed, disk) == [KATA]


def test_an_ordinary_user_may_not_create_in_somebody_elses_directory(disk: Path) -> None:
    needs.root()
    with pytest.raises(PermissionError) as caught:
        NOBODY.call(created_and_removed, disk)
    assert caught.value.errno == errno.EACCES


def test_a_directory_that_may_not_be_read_is_said_in_one_line(disk: Path) -> None:
    needs.root()
    disk.chmod(0o700)
    with pytest.raises(StoreUnreachable, match="can't be opened: Permission denied"):
        NOBODY.call(created_and_removed, disk)


@contextmanager
def open_directory(path: Path) -> Iterator[int]:
    """A descriptor to list the directory with."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def vanished(disk: Path) -> DirectoryStore:
    """A store with one volume, whose directory has been moved aside."""
    (disk / "volumes" / KATA).mkdir(parents=True)
    store = DirectoryStore(disk / "volumes")
    (disk / "volumes").rename(disk / "aside")
    return store


def created_and_removed(path: Path) -> list[VolumeName]:
    """The volumes that were there between the two."""
    store = DirectoryStore(path)
    store.create(KATA)
    names = sorted(store.catalog().names())
    store.remove(KATA)
    store.close()
    return names


def test_a_volume_is_listed_whatever_time_its_directory_is_given(disk: Path) -> None:
    """As by `rsync -a` and tar, which set back what they found."""
    with closing(DirectoryStore(disk)) as store:
        waiting.until(lambda: is_settled(disk.stat()), "the next change to give it another ctime")
        assert KATA not in store.catalog()
        before = disk.stat()
        (disk / KATA).mkdir()
        os.utime(disk, ns=(before.st_atime_ns, before.st_mtime_ns))
        waiting.until(lambda: KATA in store.catalog(), "the volume to be listed")
