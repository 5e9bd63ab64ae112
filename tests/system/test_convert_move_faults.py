"""Faults at the one rename of a conversion by move, and after it: what was moved stays where it is."""

import errno
import os
from pathlib import Path

import pytest

from katafs.converter.spots import Found, Spot
from katafs.rooted import files
from katafs.volumes.legacy_disk import LegacyDisk
from tests.harness import needs
from tests.harness.crashes import Forked
from tests.system.far_disks import around
from tests.system.old_disks import INNER, KATA, OUTER, look, make_disk, words


def test_a_move_that_fails_after_its_rename_is_told_of_a_kata_that_is_in_its_volume(disk: Path) -> None:
    needs.root()
    make_disk(disk / "katas")
    (disk / "volumes").mkdir()
    kata, volume = disk / "katas" / OUTER / INNER, disk / "volumes" / KATA
    before = look(kata)

    def fail(*_: object) -> None:
        if not kata.exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    command = words(disk / "katas", disk / "volumes", KATA)
    running = Forked(command, disk / "out", prepare=lambda: around(files, "sync_directory", before=fail))

    assert running.ended() == 1, running.output()
    assert f"{KATA}: failed: it is in its volume, but" in running.output()
    assert look(volume) == before


@pytest.mark.parametrize("fault", [OSError(errno.EIO, "Input/output error"), MemoryError()], ids=["far-disk", "memory"])
def test_a_move_that_is_done_and_told_to_have_failed_takes_nothing_from_its_volume(
    disk: Path, fault: Exception
) -> None:
    """As a far disk may tell, of a rename that it was asked for twice."""
    needs.root()
    make_disk(disk / "katas")
    (disk / "volumes").mkdir()
    kata = disk / "katas" / OUTER / INNER
    before = look(kata)

    def fail(*_: object) -> None:
        if not kata.exists():
            kata.mkdir()
            raise fault

    command = words(disk / "katas", disk / "volumes", KATA)
    running = Forked(command, disk / "out", prepare=lambda: around(Spot, "rename_to", after=fail))

    assert running.ended() in (1, 70)
    line = f"{KATA}: failed: it is in its volume, but may be on the old disk again after a power cut"
    assert isinstance(fault, MemoryError) or line in running.output()
    assert look(disk / "volumes" / KATA) == before


def test_what_comes_to_the_place_of_something_moved_takes_nothing_from_its_volume(disk: Path) -> None:
    """What is moved is nowhere else, and the disk may fail right after that."""
    needs.root()
    make_disk(disk / "katas")
    (disk / "volumes").mkdir()
    kata, log = disk / "katas" / OUTER / INNER, disk / "katas" / "server.log"
    log.write_text("first\n")
    before = look(kata)

    def fail(*_: object) -> None:
        if not kata.exists():
            kata.mkdir()
        elif not log.exists():
            log.write_text("second\n")
        else:
            return
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    command = words(disk / "katas", disk / "volumes", "--all", "--jobs", "1")
    running = Forked(command, disk / "out", prepare=lambda: around(files, "sync_directory", before=fail))

    assert running.ended() == 1, running.output()
    for name in (KATA, "server.log"):
        assert f"{name}: failed: it is in its volume, but may be on the old disk again" in running.output()
    assert look(disk / "volumes" / KATA) == before
    assert (disk / "volumes" / "katafs_root" / "server.log").read_text() == "first\n"
    assert log.read_text() == "second\n"


def test_a_move_after_which_the_disk_can_not_be_looked_at_is_told_as_done(disk: Path) -> None:
    """As where the process may open nothing more."""
    needs.root()
    make_disk(disk / "katas")
    (disk / "volumes").mkdir()
    kata = disk / "katas" / OUTER / INNER

    def fail(*_: object) -> None:
        if not kata.exists():
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    def prepare() -> None:
        around(files, "sync_directory", before=fail)
        around(LegacyDisk, "stands", before=fail)

    running = Forked(words(disk / "katas", disk / "volumes", KATA), disk / "out", prepare=prepare)

    assert running.ended() == 1, running.output()
    assert f"{KATA}: failed: it is in its volume, but" in running.output()


@pytest.mark.parametrize("fault", [errno.EMFILE, errno.EIO, errno.ENOSPC], ids=lambda number: errno.errorcode[number])
def test_no_empty_kata_is_left_where_the_first_look_into_its_volume_fails(disk: Path, fault: int) -> None:
    needs.root()
    make_disk(disk / "katas")
    (disk / "volumes").mkdir()
    before = look(disk / "katas" / OUTER / INNER)
    failed: list[int] = []

    def fail(*_: object) -> None:
        if not failed:
            failed.append(fault)
            raise OSError(fault, os.strerror(fault))

    command = words(disk / "katas", disk / "volumes", KATA)
    running = Forked(command, disk / "out", prepare=lambda: around(Found, "look", before=fail))

    assert running.ended() == 1, running.output()
    assert not (disk / "volumes" / KATA).exists()
    assert look(disk / "katas" / OUTER / INNER) == before
