"""Converters that are killed at random moments, that run two at once, and from two disks into one store."""

import json
import random
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness import needs, waiting
from tests.harness.crashes import Forked
from tests.harness.engine import Engine
from tests.harness.ext4_disks import MEMORY, disk_and_volumes, ext4_disk
from tests.system.old_disks import look, make_kata, marked, rubbish, words
from tests.system.stores import Directories, InEngine, Store

pytestmark = pytest.mark.timeout(600)

KILLS = 100
"""On each of two ways to convert."""
KILLS_WITH_DOCKER = 10
LONGEST_S = 0.2
"""About what a run takes here."""
KATAS = [f"{number % 3:02X}{number:08X}" for number in range(8)]
TWINS = [f"AA{number:08X}" for number in range(25)]


class Disk:
    """An old disk whose katas all differ, what it held, and where it is converted to."""

    def __init__(self, path: Path, store: Store, scratch: Path) -> None:
        self.path, self.store, self._scratch = path, store, scratch
        self.made: dict[str, object] = {}

    def fill(self, katas: list[str], text: str) -> None:
        self.made = {kata: look(make_kata(self.path, kata, text + kata)) for kata in katas}

    def on_disk(self, kata: str) -> object:
        return look(self.path / kata[:2] / kata[2:])

    def is_in_volume(self, kata: str) -> bool:
        return kata in self.store.names() and look(self.store.directory(kata)) == self.made[kata]

    def converter(self, *arguments: str) -> Forked:
        command = words(self.path, self.store.volumes, "--all", *arguments)
        return Forked(command, self._scratch / f"{self.path.name}-{len(arguments)}.out", self.store.env)

    def not_whole(self) -> list[str]:
        """The katas that are neither untouched on the disk nor, where they don't stand there, whole in their volume."""
        found = {kata: self.on_disk(kata) for kata in self.made}
        return [
            kata
            for kata, wanted in self.made.items()
            if found[kata] != wanted and not (found[kata] is None and self.is_in_volume(kata))
        ]

    def finish(self) -> None:
        last = self.converter()
        assert last.ended() == 0, last.output()
        assert [kata for kata in self.made if not self.is_in_volume(kata)] == []
        assert [kata for kata in self.made if marked(self.store.directory(kata))] == []
        assert list(self.path.iterdir()) == []


@pytest.fixture(params=["move", "copy"])
def places(request: pytest.FixtureRequest, disk: Path) -> Iterator[tuple[Path, Path]]:
    """A directory for old disks, and one for volumes: in one file system, or in two."""
    needs.root()
    needs.programs("mkfs.ext4", "losetup")
    with disk_and_volumes(disk, in_two=request.param == "copy") as places:
        yield places


def _killed_again_and_again(disk: Disk, kills: int, randomness: random.Random) -> None:
    """Kill converters at random moments, until so many were killed before they had ended."""
    disk.path.mkdir()
    killed = batch = 0
    while killed < kills:
        if not disk.path.exists() or not any(disk.path.iterdir()):
            for kata in disk.made:
                shutil.rmtree(disk.store.directory(kata) / "lion", ignore_errors=True)
            batch += 1
            disk.fill([f"{batch % 256:02X}{kata[2:]}" for kata in KATAS], str(batch))
        running = disk.converter()
        ended = waiting.holds_within(lambda: not running.runs, randomness.uniform(0, LONGEST_S))  # noqa: B023  # at once
        running.signal(signal.SIGKILL)
        status = running.ended()
        killed += not ended
        assert status in (0, -signal.SIGKILL), running.output()
        assert disk.not_whole() == []
    disk.finish()


def test_two_hundred_kills_lose_nothing(places: tuple[Path, Path], disk: Path) -> None:
    old, volumes = places
    _killed_again_and_again(Disk(old / "katas", Directories(volumes), disk), KILLS, random.Random(len(volumes.name)))
    assert rubbish(volumes) == []


@pytest.mark.xdist_group("docker")
@pytest.mark.parametrize("how", ["move", "copy"])
def test_kills_lose_nothing_with_docker(how: str, disk: Path, engine: Engine) -> None:
    store = InEngine(engine).emptied()
    with ExitStack() as mounted:
        # The engine's data is on the file system of `disk`.
        old = mounted.enter_context(ext4_disk(disk / "old", image_in=MEMORY)) if how == "copy" else disk
        _killed_again_and_again(Disk(old / "katas", store, disk), KILLS_WITH_DOCKER, random.Random(1))
    store.emptied()


def _outcomes(report: Path) -> dict[str, str]:
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    return {line["id"]: line["outcome"] for line in lines}


def test_two_converters_at_once_convert_each_kata_once(places: tuple[Path, Path], disk: Path) -> None:
    old, volumes = places
    shared = Disk(old / "katas", Directories(volumes), disk)
    shared.path.mkdir()
    shared.fill(TWINS, "")
    (shared.path / "stray").write_text("stray\n")
    reports = disk / "first.jsonl", disk / "second.jsonl"
    first = shared.converter("--report", str(reports[0]))
    second = shared.converter("--jobs", "3", "--report", str(reports[1]))
    assert (first.ended(), second.ended()) in ((0, 0), (0, 1), (1, 0)), first.output() + second.output()
    one, other = map(_outcomes, reports)
    for kata in TWINS:
        assert sorted((one.get(kata, "already"), other.get(kata, "already"))) in (
            ["already", "copied"],
            ["already", "moved"],
        )
    shared.finish()
    assert (volumes / "katafs_root" / "stray").read_text() == "stray\n"
    assert rubbish(volumes) == []


def test_two_disks_with_the_same_ids_are_never_merged(places: tuple[Path, Path], disk: Path) -> None:
    old, volumes = places
    disks = [Disk(old / name, Directories(volumes), disk) for name in ("one", "other")]
    for each in disks:
        each.path.mkdir()
        each.fill(TWINS, each.path.name)
    running = [each.converter("--jobs", "4") for each in disks]
    assert {each.ended() for each in running} <= {0, 1}, "".join(each.output() for each in running)
    for kata in TWINS:
        standing = [each for each in disks if each.on_disk(kata) is not None]
        arrived = [each for each in disks if each.is_in_volume(kata)]
        assert [each.on_disk(kata) for each in standing] == [each.made[kata] for each in standing]
        assert len(standing) == 1, kata
        assert arrived == [each for each in disks if each not in standing], kata
    assert rubbish(volumes) == []
