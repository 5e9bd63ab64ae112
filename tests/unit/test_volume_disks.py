"""The disks that paths are on, as the mount table has them now."""

import contextlib
import threading
from pathlib import Path

import pytest

from katafs.volumes.disks import Disks
from tests.harness import needs
from tests.harness.other_mounts import memory_disk
from tests.harness.waiting import until


def test_what_is_mounted_on_the_home_of_volumes_takes_them_along(disk: Path) -> None:
    needs.root()
    home = disk / "home"
    (home / "volume").mkdir(parents=True)
    with contextlib.closing(Disks()) as disks:
        apart = disks.other_than(str(home), "/proc")
        before = disks.of(str(home))
        with memory_disk(home):
            until(lambda: disks.of(str(home)) != before, "the mount to be seen")

            assert disks.other_than(str(home), str(home / "volume")) is None
        assert apart is not None


def test_where_no_thread_can_be_had_the_table_is_read_each_time(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs.root()
    home = disk / "home"
    home.mkdir()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with contextlib.closing(Disks()) as disks:
        with monkeypatch.context() as exhausted:
            exhausted.setattr(threading.Thread, "start", refuse)
            before = disks.of(str(home))
            with memory_disk(home):
                assert disks.of(str(home)) != before
        until(lambda: disks.of(str(home)) == before, "the disk to be gone")
