"""The docker store and an engine that is lost, comes back or isn't there."""

import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from katafs.errors import StoreUnreachable
from katafs.volumes.docker import DockerStore
from tests.contract.conftest import DockerPlace
from tests.contract.names import KATA, LION, OTHER
from tests.harness import waiting

pytestmark = pytest.mark.xdist_group("docker")

LOST = "lost the engine"
HEALED = "answers again"


@pytest.fixture
def store(docker_place: DockerPlace) -> Iterator[DockerStore]:
    """A store with one volume."""
    store = docker_place.open()
    store.create(KATA)
    yield store
    store.close()


@pytest.fixture
def lost(docker_place: DockerPlace, store: DockerStore, caplog: pytest.LogCaptureFixture) -> DockerStore:
    """The same, and its engine has been killed."""
    caplog.set_level(logging.INFO, "katafs.volumes.docker")
    docker_place.engine.kill()
    waiting.until(lambda: LOST in caplog.text, "the loss to be noticed")
    return store


def test_while_the_engine_is_down_what_is_known_can_be_opened(lost: DockerStore) -> None:
    os.close(lost.open(KATA))


def test_while_the_engine_is_down_what_is_known_is_listed(lost: DockerStore) -> None:
    assert lost.catalog().names() == {KATA}


def test_while_the_engine_is_down_it_is_not_known_what_does_not_exist(lost: DockerStore) -> None:
    with pytest.raises(StoreUnreachable, match=r"no answer from the Docker Engine|was closed"):
        lost.exists(OTHER)


def test_while_the_engine_is_down_opening_an_unknown_volume_is_no_file_not_found(lost: DockerStore) -> None:
    with pytest.raises(StoreUnreachable):
        lost.open(OTHER)


def test_while_the_engine_is_down_nothing_can_be_created(lost: DockerStore) -> None:
    with pytest.raises(StoreUnreachable, match=r"no answer from the Docker Engine at unix://.*: Connection refused"):
        lost.create(OTHER)


def test_while_the_engine_is_down_nothing_can_be_removed(lost: DockerStore) -> None:
    with pytest.raises(StoreUnreachable):
        lost.remove(KATA)


def test_while_the_engine_is_down_that_is_its_fault(lost: DockerStore) -> None:
    assert "Docker Engine" in (lost.fault() or "")


def test_what_happened_while_it_was_lost_is_caught_up(docker_place: DockerPlace, lost: DockerStore) -> None:
    # The engine forgets its events when it ends: what happens before it is found again can only be listed.
    docker_place.engine.start()
    docker_place.make_behind(OTHER)
    docker_place.remove_behind(KATA)
    waiting.until(lambda: lost.catalog().names() == {OTHER}, "what happened meanwhile to be known")


def test_it_heals_by_itself(docker_place: DockerPlace, lost: DockerStore, caplog: pytest.LogCaptureFixture) -> None:
    docker_place.engine.start()
    waiting.until(lambda: HEALED in caplog.text, "the store to heal")
    assert lost.fault() is None
    lost.create(OTHER)
    assert lost.catalog().names() == {KATA, OTHER}


def test_after_healing_it_follows_again(
    docker_place: DockerPlace, lost: DockerStore, caplog: pytest.LogCaptureFixture
) -> None:
    docker_place.engine.start()
    waiting.until(lambda: HEALED in caplog.text, "the store to heal")
    docker_place.make_behind(LION)
    waiting.until(lambda: LION in lost.catalog(), "a volume made later to show")


@pytest.mark.usefixtures("store")
def test_a_restart_is_logged_once_when_lost_and_once_when_healed(
    docker_place: DockerPlace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "katafs.volumes.docker")
    docker_place.engine.stop()
    waiting.until(lambda: LOST in caplog.text, "the loss to be noticed")
    docker_place.engine.start()
    waiting.until(lambda: HEALED in caplog.text, "the store to heal")
    levels = [record.levelno for record in caplog.records if record.name == "katafs.volumes.docker"]
    assert levels == [logging.WARNING, logging.INFO]


def test_it_closes_promptly_while_the_engine_is_lost(lost: DockerStore) -> None:
    lost.close()
    assert not followers_run()


def test_closing_ends_its_threads(store: DockerStore) -> None:
    store.close()
    assert not followers_run()


def test_closing_leaves_no_descriptor(docker_place: DockerPlace) -> None:
    before = sockets()
    store = docker_place.open()
    store.create(KATA)
    store.close()
    waiting.until(lambda: sockets() <= before, "the connections to be closed")


def test_no_engine_at_the_socket_is_said_in_one_line(disk: Path) -> None:
    url = f"unix://{disk}/none"
    with pytest.raises(StoreUnreachable) as caught:
        DockerStore(base_url=url)
    assert str(caught.value) == f"no answer from the Docker Engine at {url}: No such file or directory"


def test_the_socket_of_an_engine_that_ended_is_said_in_one_line(disk: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{disk}/sock")
    with pytest.raises(StoreUnreachable, match=r"sock: Connection refused$"):
        DockerStore(base_url=f"unix://{disk}/sock")


def test_docker_host_says_where_the_engine_is(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{disk}/from-environment")
    with pytest.raises(StoreUnreachable, match="from-environment: No such file"):
        DockerStore()


def followers_run() -> bool:
    """Whether some store's threads run in this process."""
    return any(thread.name in {"docker-events", "docker-questions"} for thread in threading.enumerate())


def sockets() -> set[str]:
    """The sockets that this process has open."""
    links = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            links.add(os.readlink(f"/proc/self/fd/{fd}"))
        except FileNotFoundError:
            continue  # the listing's own
    return {link for link in links if link.startswith("socket:")}
