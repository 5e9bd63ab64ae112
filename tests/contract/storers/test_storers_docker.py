"""What only a Docker Engine knows: whether a container uses a kata."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from katafs.config import Sandboxes
from katafs.errors import KataInUse
from katafs.kata_id import VolumeName
from katafs.storers.plain import PlainStorer
from katafs.volumes.docker import DockerStore
from tests.contract.conftest import DockerPlace
from tests.contract.storers.cells import KATA, MANIFEST, START
from tests.harness import waiting

pytestmark = pytest.mark.xdist_group("docker")

LION = VolumeName(f"{KATA}_lion")


@pytest.fixture
def store(docker_place: DockerPlace) -> Iterator[DockerStore]:
    """A store in which a container uses the avatar's volume."""
    with closing(docker_place.open()) as store:
        storer = PlainStorer(store, Sandboxes.AVATAR)
        storer.create_kata(MANIFEST)
        storer.start_avatar(KATA, ["lion"])
        mount = f"{store.location(LION)},target=/sandbox"
        container = docker_place.engine.start_container("sleep", "600", mounts=[mount])
        waiting.until(lambda: store.in_use(LION), "the volume to be in use")
        yield store
        docker_place.engine.remove_container(container)


def test_a_kata_that_a_container_uses_is_not_deleted(store: DockerStore) -> None:
    with pytest.raises(KataInUse):
        PlainStorer(store).delete_kata(KATA)


def test_a_kata_that_could_not_be_deleted_is_whole(store: DockerStore) -> None:
    storer = PlainStorer(store)
    with pytest.raises(KataInUse):
        storer.delete_kata(KATA)
    assert storer.avatar_visible_files(KATA, "lion") == START


def test_the_avatars_volume_is_found_by_the_engines_own_name(store: DockerStore, docker_place: DockerPlace) -> None:
    assert docker_place.own + LION in docker_place.engine.volumes()
    assert store.exists(LION)
