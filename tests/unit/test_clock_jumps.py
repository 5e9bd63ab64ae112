"""A wall clock that is set, an hour on or back: what is measured goes by another one, and nothing waits for it."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from katafs.config import MountSettings
from katafs.fuse.connection import Connection
from katafs.fuse.processors import Processors
from katafs.fuse.requests import Request
from katafs.kata_id import VolumeName, kata_id
from katafs.mount.status import Faults, Status
from katafs.mount.watching import noting
from katafs.observe.limits import MOST, Limited
from katafs.volumes.directories import DirectoryStore
from katafs.volumes.legacy_disk import LegacyDisk
from tests.harness.waiting import until
from tests.harness.wall_clock import HOUR_S, WallClock
from tests.unit.kernel import Kernel
from tests.unit.test_log_limits import Kept, warn

KATA = VolumeName("123456789A")
OTHER = VolumeName("12FFFFFFFF")
JUMPS = pytest.mark.parametrize("seconds", [HOUR_S, -HOUR_S], ids=["on", "back"])


@pytest.fixture
def status(tree: Kernel) -> Iterator[Status]:
    """The status of a tree that is mounted nowhere."""
    unasked = cast(Connection, SimpleNamespace(operations=dict, errors=dict, processors=Processors()))
    with closing(Status(tree.tree, unasked, Faults(tree.tree), "/mnt", MountSettings("memory"))) as status:
        yield status


@JUMPS
def test_the_uptime_is_what_has_passed(status: Status, wall_clock: WallClock, seconds: int) -> None:
    before_s = time.monotonic()
    first = status.now()
    wall_clock.jump(seconds)
    second = status.now()

    assert 0 <= first["uptime_s"] <= second["uptime_s"]
    assert second["uptime_s"] - first["uptime_s"] <= time.monotonic() - before_s + 0.001  # as it is rounded
    assert second["started"] == first["started"]


@JUMPS
def test_an_operation_took_what_has_passed(wall_clock: WallClock, seconds: int) -> None:
    """As the access log and the metrics have it."""
    told_ns: list[int] = []

    def getattr_(_: Request) -> bytes:
        wall_clock.jump(seconds)
        return b""

    noting(lambda *_: lambda _, duration_ns: told_ns.append(duration_ns))(getattr_)(cast(Request, None))

    (duration_ns,) = told_ns
    assert 0 <= duration_ns < 60 * 10**9


@JUMPS
def test_warnings_that_repeat_are_limited_as_before(wall_clock: WallClock, seconds: int) -> None:
    kept = Kept()
    with closing(Limited(kept)) as limited:
        warn(limited, MOST + 1)
        wall_clock.jump(seconds)
        warn(limited, MOST)
        assert len(kept.records) == MOST

    assert kept.left_out() == [MOST + 1]


def test_what_is_left_out_is_said_in_its_time_after_the_clock_went_back(wall_clock: WallClock) -> None:
    kept = Kept()
    with closing(Limited(kept, period_s=0.5)) as limited:
        warn(limited, MOST + 1, logging.ERROR)
        wall_clock.jump(-HOUR_S)

        until(lambda: kept.left_out() == [1], "what was left out to be said")


@pytest.fixture
def future(disk: Path, wall_clock: WallClock) -> Path:
    """A directory whose stamps are an hour away, as the clock's going back leaves them."""
    (disk / "12" / "3456789A").mkdir(parents=True)
    wall_clock.jump(-HOUR_S)
    return disk


def test_a_directory_of_volumes_from_the_future_shows_what_comes_and_goes(future: Path) -> None:
    with closing(DirectoryStore(future)) as store:
        (future / OTHER).mkdir()
        until(lambda: OTHER in store.catalog(), "the volume to be seen")
        (future / OTHER).rmdir()
        until(lambda: OTHER not in store.catalog(), "its end to be seen")


def test_an_old_disk_from_the_future_shows_what_comes_and_goes(future: Path) -> None:
    with closing(LegacyDisk(future)) as old:
        assert old.katas_in("12") == [kata_id(KATA)]
        (future / "12" / "FFFFFFFF").mkdir()
        assert old.katas_in("12") == [kata_id(KATA), kata_id(OTHER)]
        (future / "12" / "FFFFFFFF").rmdir()
        assert old.katas_in("12") == [kata_id(KATA)]
