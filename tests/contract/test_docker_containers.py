"""What the docker store knows of containers, and of what others do to its volumes through the engine."""

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from katafs.kata_id import VolumeName
from katafs.volumes.docker import MADE_BY_LABEL, TOKEN_LABEL, DockerStore
from katafs.volumes.docker_index import VolumeIndex
from tests.contract.conftest import DockerPlace
from tests.contract.names import KATA, OTHER
from tests.harness import waiting

pytestmark = pytest.mark.xdist_group("docker")


@pytest.fixture
def store(docker_place: DockerPlace) -> Iterator[DockerStore]:
    """A store in the engine."""
    store = docker_place.open()
    yield store
    store.close()


@pytest.fixture
def container(docker_place: DockerPlace, store: DockerStore) -> Iterator[str]:
    """A running container with the kata's volume."""
    store.create(KATA)
    container = docker_place.engine.start_container("sleep", "600", mounts=[f"{store.location(KATA)},target=/kata"])
    yield container
    docker_place.engine.remove_container(container)


def test_a_volume_is_in_use_once_a_container_has_it(store: DockerStore, container: str) -> None:
    waiting.until(lambda: store.in_use(KATA), f"the volume to be in use by {container}")


@pytest.mark.parametrize("end", ["stop", "rm"])
def test_a_volume_is_idle_once_a_container_is_stopped_that_waited_to_be_restarted(
    docker_place: DockerPlace, store: DockerStore, end: str
) -> None:
    """No event tells of the end of what has unmounted its volumes already."""
    store.create(KATA)
    engine = docker_place.engine
    container = engine.start_container(
        "sh", "-c", "sleep 0.2; exit 1", mounts=[f"{store.location(KATA)},target=/kata"], restart="always"
    )
    waiting.until(lambda: store.in_use(KATA), "the volume to be in use")
    state = "{{.State.Restarting}} {{gt .RestartCount 3}}"
    waiting.until(lambda: engine.cli("inspect", "--format", state, container).stdout == "true true\n", "a longer pause")
    engine.cli(end, *(["--force"] if end == "rm" else []), container)
    waiting.until(lambda: not store.in_use(KATA), "the volume to be idle")
    if end == "stop":
        engine.remove_container(container)


@pytest.mark.usefixtures("container")
def test_a_volume_that_was_in_use_before_the_store_is_in_use(docker_place: DockerPlace) -> None:
    later = docker_place.open()
    used = later.in_use(KATA)
    later.close()
    assert used


def test_a_volume_whose_container_ended_before_the_store_came_was_never_in_use(
    docker_place: DockerPlace, store: DockerStore, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even until the store has read of the end: it may be asked before."""
    waiting.until(lambda: store.in_use(KATA), "the volume to be in use")
    docker_place.engine.remove_container(container)
    came = list[VolumeName]()
    monkeypatch.setattr(VolumeIndex, "mounted", lambda _, name, __: came.append(name))
    later = docker_place.open()
    docker_place.engine.run("true", mounts=[f"{store.location(OTHER)},target=/kata"])
    waiting.until(lambda: OTHER in came, "another's mount to be told")
    later.close()

    assert KATA not in came


def test_a_volume_is_no_longer_in_use_when_its_container_ended(
    docker_place: DockerPlace, store: DockerStore, container: str
) -> None:
    waiting.until(lambda: store.in_use(KATA), "the volume to be in use")
    docker_place.engine.cli("kill", container)
    waiting.until(lambda: not store.in_use(KATA), "the volume not to be in use")


def test_it_is_told_when_the_first_container_comes(docker_place: DockerPlace, store: DockerStore) -> None:
    store.create(KATA)
    used: list[tuple[VolumeName, bool]] = []
    store.when_used(lambda name: used.append((name, store.in_use(name))))
    mounts = [f"{store.location(KATA)},target=/kata"]
    first = docker_place.engine.start_container("sleep", "600", mounts=mounts)
    waiting.until(lambda: used == [(KATA, True)], "the first to be told")
    second = docker_place.engine.start_container("sleep", "600", mounts=mounts)
    for container in (first, second):
        docker_place.engine.remove_container(container)
    waiting.until(lambda: not store.in_use(KATA), "both to be gone")

    assert used == [(KATA, True)]


def test_copying_out_of_a_container_does_not_end_the_use(
    docker_place: DockerPlace, store: DockerStore, container: str
) -> None:
    waiting.until(lambda: store.in_use(KATA), "the volume to be in use")
    docker_place.engine.cli("cp", f"{container}:/kata", "-")
    store.create(OTHER)
    docker_place.remove_behind(OTHER)
    waiting.until(lambda: not store.exists(OTHER), "the events of the copy to be over")
    assert store.in_use(KATA)


@pytest.mark.usefixtures("container")
def test_removing_what_a_container_uses_is_busy(store: DockerStore) -> None:
    with pytest.raises(OSError, match="in use") as caught:
        store.remove(KATA)
    assert caught.value.errno == errno.EBUSY


@pytest.mark.usefixtures("container")
def test_a_busy_volume_survives_its_removal(store: DockerStore) -> None:
    with pytest.raises(OSError, match="in use"):
        store.remove(KATA)
    assert KATA in store.catalog()


def test_what_a_container_wrote_is_in_the_volume(docker_place: DockerPlace, store: DockerStore) -> None:
    store.create(KATA)
    docker_place.engine.run("touch", "/kata/file", mounts=[f"{store.location(KATA)},target=/kata"])
    assert names_in(store, KATA) == ["file"]


def test_a_container_reads_what_was_written_to_the_volume(docker_place: DockerPlace, store: DockerStore) -> None:
    store.create(KATA)
    top = store.open(KATA)
    os.mkdir("lion", dir_fd=top)
    os.close(top)
    mounts = [f"{store.location(KATA)},target=/kata"]
    assert docker_place.engine.run("ls", "/kata", mounts=mounts) == "lion\n"


def test_a_volume_that_a_container_brings_along_shows(docker_place: DockerPlace, store: DockerStore) -> None:
    docker_place.engine.run("true", mounts=[f"{store.location(KATA)},target=/kata"])
    waiting.until(lambda: KATA in store.catalog(), "the container's volume to show")


def test_pruned_volumes_leave_the_catalog(docker_place: DockerPlace, store: DockerStore) -> None:
    label = f"{docker_place.own}prune"
    docker_place.engine.cli("volume", "create", "--label", label, docker_place.own + KATA)
    waiting.until(lambda: KATA in store.catalog(), "the volume to show")
    docker_place.engine.cli("volume", "prune", "--force", "--filter", f"label={label}")
    left = [name for name in docker_place.engine.volumes() if name.startswith(docker_place.own)]
    if left:  # engines since 23 prune named volumes only when told
        docker_place.engine.cli("volume", "prune", "--all", "--force", "--filter", f"label={label}")
    waiting.until(lambda: KATA not in store.catalog(), "the pruned volume to leave the catalog")


def test_a_created_volume_says_who_made_it(docker_place: DockerPlace, store: DockerStore) -> None:
    store.create(KATA)
    assert label_of(docker_place, MADE_BY_LABEL) == "katafs"


def test_creating_what_exists_leaves_its_labels(docker_place: DockerPlace, store: DockerStore) -> None:
    store.create(KATA)
    token = label_of(docker_place, TOKEN_LABEL)
    with pytest.raises(FileExistsError):
        store.create(KATA)
    assert label_of(docker_place, TOKEN_LABEL) == token


def test_a_burst_of_others_volumes_all_show(docker_place: DockerPlace, store: DockerStore) -> None:
    names = {VolumeName(f"{number:010X}") for number in range(300)}  # more than the 256 that the engine remembers
    client = docker_place.engine.client()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: client.api.create_volume(docker_place.own + name), names))
    client.close()
    waiting.until(lambda: store.catalog().names() == names, "all of the volumes to show")


def names_in(store: DockerStore, name: VolumeName) -> list[str]:
    """The names in a volume."""
    top = store.open(name)
    readable = os.open(".", os.O_RDONLY, dir_fd=top)
    names = os.listdir(readable)
    os.close(readable)
    os.close(top)
    return names


def label_of(place: DockerPlace, label: str) -> str:
    """What the engine says is the label of the kata's volume."""
    wanted = f'{{{{index .Labels "{label}"}}}}'
    return place.engine.cli("volume", "inspect", "--format", wanted, place.own + KATA).stdout.strip()
