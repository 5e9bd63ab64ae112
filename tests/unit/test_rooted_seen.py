"""What is told from what was in a tree at some moment."""

import os
from pathlib import Path

from katafs.rooted.inodes import is_settled
from katafs.rooted.seen import Seen
from tests.harness.waiting import until


def test_what_was_seen_is_there_still(disk: Path) -> None:
    seen = Seen()
    for path in (disk / "file", disk / "directory"):
        path.touch() if path.name == "file" else path.mkdir()
        seen.add(path.lstat())
    (disk / "directory/inside").touch()  # a directory's times may move

    assert seen.has((disk / "file").lstat())
    assert seen.has((disk / "directory").lstat())
    assert not seen.has((disk / "directory/inside").lstat())


def test_a_file_that_has_got_the_number_of_a_removed_directory_was_not_seen(disk: Path) -> None:
    """ext4 gives it to the next one that is made."""
    seen = Seen()
    (disk / "file").touch()
    file = (disk / "file").lstat()
    (disk / "directory").mkdir()
    was_directory = os.stat_result((0o40755, file.st_ino, *(disk / "directory").lstat()[2:]))
    seen.add(was_directory)

    assert seen.has(was_directory)
    assert not seen.has(file)


def test_an_inode_that_has_lost_a_name_is_seen_until_it_is_written_to(disk: Path) -> None:
    seen = Seen()
    (disk / "file").touch()
    (disk / "twin").hardlink_to(disk / "file")
    until(lambda: is_settled((disk / "file").lstat()), "the next change to give it another ctime")
    before = (disk / "file").lstat()
    seen.add(before)
    (disk / "file").unlink()
    assert not seen.has((disk / "twin").lstat())
    seen.lost_a_name(before)
    assert seen.has((disk / "twin").lstat())
    os.utime(disk / "twin", ns=(1, 1))
    assert not seen.has((disk / "twin").lstat())


def test_a_file_that_has_got_the_number_and_mtime_of_one_that_lost_its_last_name_was_not_seen(disk: Path) -> None:
    seen = Seen()
    (disk / "file").touch()
    before = (disk / "file").lstat()
    seen.add(before)
    seen.lost_a_name(before)
    until(lambda: is_settled((disk / "file").lstat()), "the next change to give it another ctime")
    os.utime(disk / "file", ns=(before.st_atime_ns, before.st_mtime_ns))

    assert not seen.has((disk / "file").lstat())
