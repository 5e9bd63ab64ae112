"""The docker store and engines that are too old, out of order or overrun by events."""

import errno
import itertools
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from katafs.errors import StoreUnreachable
from katafs.kata_id import KataId, VolumeName
from katafs.volumes import docker_events, docker_index
from katafs.volumes.docker import DockerStore
from tests.contract.names import KATA, OTHER
from tests.contract.stand_in import StandIn
from tests.harness import waiting
from tests.harness.directory_engine import DirectoryEngine


@pytest.fixture
def engine(disk: Path) -> Iterator[StandIn]:
    """An engine with one volume, ready to be given other answers."""
    with StandIn(disk / "sock") as engine:
        engine.volumes = [KATA]
        yield engine


def test_an_engine_that_is_too_old_is_refused(engine: StandIn) -> None:
    engine.version = {"ApiVersion": "1.40", "Version": "19.03.15"}
    with pytest.raises(StoreUnreachable, match=r"too old: its API is 1\.40, needed is 1\.41 \(Docker 20\.10\)$"):
        DockerStore(base_url=engine.url)


def test_a_newer_engine_is_spoken_to(engine: StandIn) -> None:
    engine.version = {"ApiVersion": "1.52", "MinAPIVersion": "1.44"}
    store = DockerStore(base_url=engine.url)
    store.close()
    assert store.catalog().names() == {KATA}


@pytest.mark.parametrize("version", [{}, [], "no", {"ApiVersion": "new"}], ids=str)
def test_what_is_no_engine_is_said_in_one_line(engine: StandIn, version: Any) -> None:  # noqa: ANN401  # any JSON
    engine.version = version
    with pytest.raises(StoreUnreachable, match=r"^no answer from the Docker Engine at \S+: .+$"):
        DockerStore(base_url=engine.url)


def test_what_an_engine_refuses_is_said_in_its_words(engine: StandIn) -> None:
    engine.refusal = "the disk is on fire"
    store = DockerStore(base_url=engine.url)
    with pytest.raises(StoreUnreachable, match=r"refuses: .*the disk is on fire"):
        store.create(OTHER)
    store.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT], ids=["disk", "quota"])
def test_a_full_disk_is_told_as_one_in_the_engines_words(
    engine: StandIn, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    engine.refusal = f"create {OTHER}: mkdir /var/lib/docker/volumes/{OTHER}: {os.strerror(number).lower()}"
    with closing(DockerStore(base_url=engine.url)) as store, pytest.raises(OSError, match="mkdir /var/lib") as told:
        store.create(OTHER)

    assert (told.value.errno, told.value.strerror) == (number, engine.refusal)
    assert [record.getMessage() for record in caplog.records] == ["a volume could not be made"]


def test_many_volumes_are_listed_once_and_the_engine_is_not_asked_for_one_of_them(engine: StandIn) -> None:
    katas = [f"{number:010X}" for number in range(5000)]
    engine.volumes = [name for kata in katas for name in (kata, f"{kata}_lion", f"{kata}_bear")]
    store = DockerStore(base_url=engine.url)
    waiting.until(lambda: any(path.endswith("/events") for path in engine.requests), "the store to follow")
    before = list(engine.requests)
    avatars = [store.catalog().avatars_of(KataId(kata)) for kata in katas[::100]]
    found = [store.exists(VolumeName(f"{kata}_lion")) for kata in katas[::100]]
    absent = store.exists(VolumeName(f"{katas[0]}_wolf"))
    asked = engine.requests[len(before) :]
    store.close()

    assert (avatars, found, absent) == ([["bear", "lion"]] * 50, [True] * 50, False)
    assert asked == []
    assert engine.listings == 1


def test_when_events_have_piled_up_it_lists_again(engine: StandIn) -> None:
    # The engine drops events of a follower that lags: that they are old is all there is to notice.
    engine.events = repeated({"Type": "volume", "Action": "mount", "timeNano": 1, "Actor": {"ID": "another's"}}, engine)
    store = DockerStore(base_url=engine.url)
    engine.volumes = [OTHER]
    waiting.until(lambda: store.catalog().names() == {OTHER}, "the store to list again")
    store.close()


@pytest.mark.parametrize("late", [{"Action": "prune"}, {"Action": "mount", "timeNano": 1}], ids=["prune", "late"])
def test_a_container_that_is_being_started_has_its_volume_when_it_lists_again(
    engine: StandIn, late: dict[str, Any]
) -> None:
    # The stand-in's list of running containers is empty, as the engine's is until a container runs.
    box = {"ID": KATA, "Attributes": {"container": "starting"}}
    starting = {"Type": "volume", "Action": "mount", "Actor": box, "timeNano": time.time_ns()}
    again = {"Type": "volume", "Actor": {"ID": "another's"}, "timeNano": time.time_ns(), **late}
    engine.events = itertools.chain([starting], repeated(again, engine))
    store = DockerStore(base_url=engine.url)
    waiting.until(lambda: store.in_use(KATA), "the container to have its volume")
    before = engine.listings
    waiting.until(lambda: engine.listings > before + 1, "the store to list again, and then once more")
    used = store.in_use(KATA)
    store.close()

    assert used


def test_what_containers_had_before_the_store_came_is_known_at_once(engine: StandIn) -> None:
    """One that is being started has its volume, though it isn't listed yet; one that has unmounted it hasn't."""
    for action, volume in (("mount", KATA), ("mount", OTHER), ("unmount", OTHER)):
        actor = {"ID": volume, "Attributes": {"container": f"of {volume}"}}
        engine.past.append({"Type": "volume", "Action": action, "Actor": actor, "timeNano": time.time_ns()})
    store = DockerStore(base_url=engine.url)
    used = store.in_use(KATA), store.in_use(OTHER)
    store.close()

    assert used == (True, False)


def test_a_container_that_ended_while_nobody_followed_is_gone_when_somebody_does(disk: Path) -> None:
    """It has mounted its volume so short a time ago that it might be starting still."""
    (disk / "engine").mkdir()
    with DirectoryEngine(disk / "engine") as engine:
        engine.make(KATA)
        store = DockerStore(base_url=engine.url)
        waiting.until(lambda: engine.followers == 1, "the store to follow")
        container = engine.mount(KATA)
        waiting.until(lambda: store.in_use(KATA), "the container to have its volume")
        with engine.deaf():
            engine.unmount(container)
        waiting.until(lambda: engine.followers == 1 and store.fault() is None, "the store to follow again")
        used = store.in_use(KATA)
        store.close()

    assert not used


def test_a_container_whose_end_was_lost_with_other_events_is_gone_once_it_had_time_to_start(
    engine: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (docker_events, docker_index):
        monkeypatch.setattr(module, "STARTING_S", 3)
    box = {"ID": KATA, "Attributes": {"container": "lost"}}
    mounted = {"Type": "volume", "Action": "mount", "Actor": box, "timeNano": time.time_ns() + 10**12}
    another = {**mounted, "Actor": {"ID": "another's"}}

    def events() -> Iterator[dict[str, Any]]:
        engine.ending.wait(2.5)  # after a listing nothing counts as late for two seconds
        yield from (mounted, {**another, "timeNano": 1})
        engine.ending.wait()  # and no event more

    used: list[bool] = []
    answer = engine.answer

    def noting(path: str) -> Any:  # noqa: ANN401  # any JSON
        if path.endswith("/volumes") and engine.listings == 2:
            used.append(store.in_use(KATA))
        return answer(path)

    monkeypatch.setattr(engine, "answer", noting)
    engine.events = events()
    store = DockerStore(base_url=engine.url)
    waiting.until(lambda: engine.listings == 3, "the store to list again, and then once more")
    waiting.until(lambda: not store.in_use(KATA), "the container to be gone")
    store.close()

    assert (used, engine.listings) == ([True], 3)


def test_a_bug_met_while_following_is_logged_and_survived(engine: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    engine.events = [{"Type": "volume", "no": "action"}]
    store = DockerStore(base_url=engine.url)
    waiting.until(lambda: "a bug while following" in caplog.text, "the bug to be logged")
    engine.events = []
    engine.volumes = [OTHER]
    waiting.until(lambda: store.catalog().names() == {OTHER}, "the store to follow again")
    store.close()


def repeated(event: dict[str, Any], engine: StandIn) -> Iterator[dict[str, Any]]:
    """The event, ten times a second until the engine ends."""
    pause = threading.Event()
    return itertools.takewhile(lambda _: not engine.ending.is_set() and not pause.wait(0.1), itertools.repeat(event))
