"""The docker store on a machine whose clock is set, an hour on or back, while it follows the engine."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from katafs.kata_id import VolumeName
from katafs.volumes import docker_events, docker_index
from katafs.volumes.docker import DockerStore
from tests.contract.names import KATA, OTHER
from tests.harness.directory_engine import DirectoryEngine
from tests.harness.waiting import holds_within, until
from tests.harness.wall_clock import HOUR_S, WallClock

LATE_S = 5
"""An event that old tells that others may have been lost, where the list is older than two seconds."""
ENDED = VolumeName("EEEEEEEEEE")
_numbers = itertools.count(1)
JUMPS = pytest.mark.parametrize("seconds", [HOUR_S, -HOUR_S], ids=["on", "back"])


@pytest.fixture
def engine(disk: Path, wall_clock: WallClock) -> Iterator[DirectoryEngine]:
    """An engine with one volume; its clock is the machine's, as the store's is."""
    with DirectoryEngine(disk) as engine:
        engine.make(KATA)
        yield engine


@pytest.fixture
def store(engine: DirectoryEngine) -> Iterator[DockerStore]:
    """A store that follows it."""
    store = DockerStore(base_url=engine.url)
    until(lambda: engine.followers == 1, "the store to follow")
    yield store
    store.close()


def lists(engine: DirectoryEngine) -> int:
    """How often everything was asked for."""
    return sum(path.endswith("/volumes") for path in engine.requests)


def until_read(engine: DirectoryEngine, store: DockerStore) -> None:
    """Return when the store has read all events, and has had the answers that they made it ask for."""
    fresh = VolumeName(f"{next(_numbers):010X}")
    engine.make(fresh)
    until(lambda: store.exists(fresh), "the volume to be known")


def let_pass(seconds: float) -> None:
    holds_within(lambda: False, seconds)


@JUMPS
def test_lost_events_are_noticed_after_it(
    engine: DirectoryEngine, store: DockerStore, wall_clock: WallClock, seconds: int
) -> None:
    wall_clock.jump(seconds)
    let_pass(2.5)  # after a list nothing counts as late for two seconds
    (engine.path / OTHER).mkdir()
    engine.begin_to_mount("another's", seconds_ago=LATE_S)

    until(lambda: store.exists(OTHER), "the store to list again")


@JUMPS
def test_a_container_whose_end_was_lost_is_gone_once_it_had_time_to_start(
    engine: DirectoryEngine, store: DockerStore, wall_clock: WallClock, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (docker_events, docker_index):
        monkeypatch.setattr(module, "STARTING_S", 5)
    used: list[VolumeName] = []
    store.when_used(used.append)
    let_pass(2.5)
    engine.begin_to_mount(KATA, seconds_ago=0)
    engine.begin_to_mount("another's", seconds_ago=LATE_S)
    until(lambda: lists(engine) >= 2, "the store to list again")
    until_read(engine, store)
    assert KATA in used  # whether it is still, on a machine that has just rested, is another question

    wall_clock.jump(seconds)
    let_pass(5.5)
    engine.begin_to_mount("another's", seconds_ago=0)

    until(lambda: not store.in_use(KATA), "the container to be gone")


@JUMPS
def test_containers_keep_their_volumes_and_those_that_ended_none(
    engine: DirectoryEngine, store: DockerStore, wall_clock: WallClock, seconds: int
) -> None:
    """When the store lists again and asks for what has happened since, too."""
    engine.make(OTHER)
    engine.mount(KATA)
    engine.begin_to_mount(OTHER, seconds_ago=0)
    engine.make(ENDED)
    engine.unmount(engine.mount(ENDED))
    until_read(engine, store)

    wall_clock.jump(seconds)
    engine.break_off()
    until(lambda: engine.followers == 1 and store.fault() is None, "the store to follow again")
    until_read(engine, store)

    assert (store.in_use(KATA), store.in_use(OTHER), store.in_use(ENDED)) == (True, True, False)


def test_all_is_listed_once_at_most_for_a_jump(
    engine: DirectoryEngine, store: DockerStore, wall_clock: WallClock
) -> None:
    let_pass(2.5)
    for seconds in (HOUR_S, -HOUR_S, -HOUR_S, HOUR_S):
        before = lists(engine)
        engine.begin_to_mount("another's", seconds_ago=0)
        wall_clock.jump(seconds)
        for _ in range(100):
            engine.begin_to_mount("another's", seconds_ago=0)
        engine.make(OTHER)
        until(lambda: store.exists(OTHER), "the events to be read")
        assert lists(engine) <= before + 1
        store.remove(OTHER)
