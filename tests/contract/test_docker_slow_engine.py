"""The docker store and an engine that is slow to answer, while it goes on telling what happens."""

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from katafs.errors import StoreUnreachable
from katafs.kata_id import VolumeName
from katafs.volumes import docker_engine, docker_events
from katafs.volumes.docker import DockerStore
from katafs.volumes.docker_stream import EventStream
from tests.contract.names import KATA, LION, OTHER
from tests.contract.stand_in import StandIn
from tests.harness import waiting

LONGEST_S = 2 * waiting.DEADLINE_S
"""For this long a hang is no fault, and an event no late one: longer than any test waits, on a busy machine too."""

BOX = "0123abcd"


class SlowEngine(StandIn):
    """Answers the question whose path ends with `held` when it is let go on, and as if it had at once."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.volumes = [KATA]
        self.told: list[dict[str, Any]] = []
        """What has happened; whoever follows is sent all of it."""
        self.held = "nothing"
        self.hangs = threading.Event()
        self.go_on = threading.Event()
        self.fails = False
        """Whether the next question about a container is hung up on."""

    def answer(self, path: str) -> Any:  # noqa: ANN401  # any JSON
        """As in the stand-in, and of a container, none of which runs, and of a volume."""
        answer = self._details(path)
        if path.endswith(self.held) and not self.go_on.is_set():
            self.hangs.set()
            self.go_on.wait()
        if self.fails and "/containers/" in path and not path.endswith("/containers/json"):
            self.fails = False
            raise ConnectionResetError
        return answer

    def happening(self, since_s: float) -> Iterator[dict[str, Any]]:
        """As in the stand-in, from `told`."""
        sent = 0
        while not self.ending.wait(0.01):
            yield from (new := self.told[sent:])
            sent += len(new)

    def tell(self, action: str, name: str, container: str = BOX, happened_ns: int | None = None) -> None:
        """Send an event to whoever follows."""
        actor = {"ID": name, "Attributes": {"container": container}}
        when_ns = time.time_ns() if happened_ns is None else happened_ns
        self.told.append({"Type": "volume", "Action": action, "Actor": actor, "timeNano": when_ns})

    def _details(self, path: str) -> Any:  # noqa: ANN401  # any JSON
        kind, _, what = path.partition("/v1.41/")[2].partition("/")
        if kind == "containers" and what != "json":
            return {"State": {"Running": False}}
        if kind == "volumes" and what:
            return {"Name": what, "Driver": "local", "Mountpoint": "/none"} if what in self.volumes else None
        return super().answer(path)


@pytest.fixture
def engine(disk: Path) -> Iterator[SlowEngine]:
    """An engine with one volume, that holds nothing yet."""
    with SlowEngine(disk / "sock") as engine:
        yield engine
        engine.go_on.set()


@pytest.fixture
def store(engine: SlowEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[DockerStore]:
    """A store in it."""
    monkeypatch.setattr(docker_engine, "_TIMEOUT_S", LONGEST_S)
    monkeypatch.setattr(docker_events, "_LATE_S", LONGEST_S)
    store = DockerStore(base_url=engine.url)
    yield store
    engine.go_on.set()
    store.close()


@pytest.fixture
def used(store: DockerStore) -> list[VolumeName]:
    """The volumes that have come into use."""
    used: list[VolumeName] = []
    store.when_used(used.append)
    return used


def hang(engine: SlowEngine, at: str, action: str, name: str) -> None:
    """Have the store ask, because of an event, what isn't answered until the engine is let go on."""
    engine.held = at
    engine.tell(action, name)
    waiting.until(engine.hangs.is_set, f"the store to ask {at}")


def until_read(engine: SlowEngine, used: list[VolumeName]) -> None:
    """Return when the store has read all events, by another volume's mount."""
    engine.tell("mount", OTHER, "another's")
    waiting.until(lambda: OTHER in used, "the mount to be told")


def until_answered(engine: SlowEngine, store: DockerStore) -> None:
    """Return when the store has all answers for which events have made it ask, by another volume's creation."""
    engine.volumes.append(LION)
    engine.tell("create", LION)
    engine.go_on.set()
    waiting.until(lambda: store.exists(LION), "the answers")


@pytest.mark.parametrize(
    ("at", "action"),
    [(f"/containers/{BOX}/json", "unmount"), (f"/volumes/{KATA}", "destroy"), ("/volumes", "prune")],
)
def test_a_mount_is_told_while_the_engine_hangs(
    engine: SlowEngine, store: DockerStore, used: list[VolumeName], at: str, action: str
) -> None:
    hang(engine, at, action, KATA)
    until_read(engine, used)
    assert (store.in_use(OTHER), engine.go_on.is_set()) == (True, False)


def test_a_mount_of_a_volume_that_is_being_asked_for_is_told(
    engine: SlowEngine, store: DockerStore, used: list[VolumeName]
) -> None:
    engine.volumes.append(OTHER)
    hang(engine, f"/volumes/{OTHER}", "create", OTHER)
    until_read(engine, used)
    known = store.exists(OTHER)
    until_answered(engine, store)

    assert not known
    assert store.exists(OTHER)
    assert store.in_use(OTHER)


def test_a_container_that_ended_has_its_volume_until_the_engine_says_so(
    engine: SlowEngine, store: DockerStore, used: list[VolumeName]
) -> None:
    engine.tell("mount", KATA)
    hang(engine, f"/containers/{BOX}/json", "unmount", KATA)
    until_read(engine, used)
    before = store.in_use(KATA)
    until_answered(engine, store)

    assert (before, store.in_use(KATA)) == (True, False)


def test_a_container_that_mounts_again_meanwhile_has_its_volume(
    engine: SlowEngine, store: DockerStore, used: list[VolumeName]
) -> None:
    engine.tell("mount", KATA)
    hang(engine, f"/containers/{BOX}/json", "unmount", KATA)
    engine.tell("mount", KATA)
    until_read(engine, used)
    until_answered(engine, store)

    assert store.in_use(KATA)


def test_a_volume_that_is_made_anew_while_it_is_asked_whether_it_is_gone_is_there(
    engine: SlowEngine, store: DockerStore, used: list[VolumeName]
) -> None:
    engine.volumes.remove(KATA)
    hang(engine, f"/volumes/{KATA}", "destroy", KATA)
    engine.volumes.append(KATA)
    engine.tell("create", KATA)
    until_read(engine, used)
    until_answered(engine, store)

    assert store.exists(KATA)


def test_events_that_only_wait_for_an_answer_are_not_late(
    engine: SlowEngine, store: DockerStore, used: list[VolumeName], monkeypatch: pytest.MonkeyPatch
) -> None:
    hang(engine, f"/containers/{BOX}/json", "unmount", KATA)
    engine.tell("unmount", KATA, "another")
    until_read(engine, used)
    with monkeypatch.context() as late:
        late.setattr(docker_events, "_LATE_S", 0)
        engine.go_on.set()
        waiting.until(lambda: asked(engine, "/containers/another/json"), "the store to go on")
    until_answered(engine, store)

    assert engine.listings == 1


def test_one_list_at_most_is_waiting_to_be_asked_for(
    engine: SlowEngine, store: DockerStore, used: list[VolumeName], monkeypatch: pytest.MonkeyPatch
) -> None:
    hang(engine, f"/containers/{BOX}/json", "unmount", KATA)
    with monkeypatch.context() as late:
        late.setattr(docker_events, "_LATE_S", 0)
        for _ in range(20):
            engine.tell("mount", "another's")
        until_read(engine, used)
    until_answered(engine, store)

    assert engine.listings == 2


def test_a_question_that_fails_is_healed_once(
    engine: SlowEngine, store: DockerStore, used: list[VolumeName], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "katafs.volumes.docker")
    engine.fails = True
    engine.volumes.append(LION)  # of which no event tells
    engine.tell("unmount", KATA)
    waiting.until(lambda: "answers again" in caplog.text, "the store to heal")
    until_read(engine, used)

    levels = [record.levelno for record in caplog.records if record.name == "katafs.volumes.docker"]
    assert levels == [logging.WARNING, logging.INFO]
    assert store.exists(LION)


def test_closing_meanwhile_asks_nothing_more(engine: SlowEngine, store: DockerStore, used: list[VolumeName]) -> None:
    hang(engine, f"/containers/{BOX}/json", "unmount", KATA)
    engine.tell("unmount", KATA, "never-asked-for")
    until_read(engine, used)
    store.close()
    hung = followers()
    engine.go_on.set()
    waiting.until(lambda: not followers(), "the store's threads to end")

    assert hung == {"docker-events", "docker-questions"}
    assert not any("never-asked-for" in path for path in engine.requests)


def test_the_connection_is_closed_when_a_hang_is_over_that_closing_did_not_wait_for(
    engine: SlowEngine, store: DockerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    close, closed = EventStream.close, list[EventStream]()

    def noted(stream: EventStream) -> None:
        close(stream)
        closed.append(stream)

    monkeypatch.setattr(EventStream, "close", noted)
    hang(engine, f"/containers/{BOX}/json", "unmount", KATA)
    store.close()
    assert (followers(), closed) == ({"docker-events", "docker-questions"}, [])
    engine.go_on.set()
    waiting.until(lambda: not followers(), "the store's threads to end")

    assert len(closed) == 1


def followers() -> set[str]:
    """The threads of stores that run in this process."""
    return {thread.name for thread in threading.enumerate()} & {"docker-events", "docker-questions"}


def asked(engine: SlowEngine, path: str) -> bool:
    """Whether the store has asked for what ends with the path."""
    return any(each.endswith(path) for each in engine.requests)


def test_an_engine_that_does_not_answer_in_time_is_said_so_in_plain_words(
    engine: SlowEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_engine, "_TIMEOUT_S", 0.2)
    engine.held = "/version"
    with pytest.raises(
        StoreUnreachable, match=r"^no answer from the Docker Engine at \S+: nothing came within 0\.2 s$"
    ):
        DockerStore(base_url=engine.url)
    engine.go_on.set()
