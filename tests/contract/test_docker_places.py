"""Which of an engine's volumes the docker store serves, and from where; real volumes of a real engine."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from katafs.errors import StoreUnreachable, VolumeRefused
from katafs.kata_id import ROOT_VOLUME
from katafs.volumes import docker
from katafs.volumes.docker import DockerStore
from katafs.volumes.store import VolumeStore
from tests.contract.conftest import DockerPlace
from tests.contract.names import KATA
from tests.harness import needs
from tests.harness.other_mounts import memory_disk

pytestmark = pytest.mark.xdist_group("docker")

Make = Callable[..., VolumeStore]


@pytest.fixture
def made(docker_place: DockerPlace) -> Iterator[Make]:
    """Makes the kata's volume with driver options, and opens a store that finds it."""
    opened: list[DockerStore] = []

    def make(**options: str) -> DockerStore:
        words = [word for key, value in options.items() for word in ("--opt", f"{key}={value}")]
        docker_place.engine.cli("volume", "create", *words, docker_place.own + KATA)
        opened.append(docker_place.open())
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.mark.parametrize("kind", ["bind", "rbind"])
def test_a_bind_volume_is_served_from_its_device(made: Make, disk: Path, kind: str) -> None:
    store = made(type="none", o=kind, device=str(disk))
    top = store.open(KATA)
    same = os.path.samestat(os.fstat(top), disk.stat())
    os.close(top)
    assert same


def test_a_bind_volume_is_on_the_disk_of_its_device(made: Make, disk: Path) -> None:
    (disk / "other").mkdir()
    with memory_disk(disk / "other"):
        (disk / "other" / "kata").mkdir()
        store = made(type="none", o="bind", device=f"{disk}/other/kata")
        store.create(ROOT_VOLUME)
        number = (disk / "other").stat().st_dev

        assert store.disk_of(KATA) == f"{os.major(number)}:{os.minor(number)}".encode()
        assert store.disk_of(ROOT_VOLUME) is None


def test_a_bind_volumes_device_may_be_a_link_as_for_the_engine(made: Make, disk: Path) -> None:
    (disk / "target").mkdir()
    (disk / "link").symlink_to("target")
    store = made(type="none", o="bind", device=f"{disk}/link")
    top = store.open(KATA)
    same = os.path.samestat(os.fstat(top), (disk / "target").stat())
    os.close(top)
    assert same


def test_a_bind_volume_without_its_device_is_refused_and_not_missing(made: Make, disk: Path) -> None:
    store = made(type="none", o="bind", device=f"{disk}/nowhere")
    with pytest.raises(VolumeRefused, match=f"{KATA} is refused: its device .*nowhere is not there"):
        store.open(KATA)


def test_a_device_that_is_no_absolute_path_is_refused(made: Make) -> None:
    """It would be looked for where katafs happens to stand."""
    store = made(type="none", o="bind", device="here")
    with pytest.raises(VolumeRefused, match="device=here"):
        store.open(KATA)


def test_a_network_volume_is_refused(made: Make) -> None:
    store = made(type="nfs", o="addr=192.0.2.1,rw", device=":/katas")
    with pytest.raises(VolumeRefused, match=f"{KATA} is refused: its data is not on this host .*type=nfs"):
        store.open(KATA)


def test_a_volume_in_a_containers_memory_is_refused(made: Make) -> None:
    store = made(type="tmpfs", device="tmpfs")
    with pytest.raises(VolumeRefused, match="type=tmpfs"):
        store.open(KATA)


def test_a_refused_volume_exists(made: Make) -> None:
    assert made(type="tmpfs", device="tmpfs").exists(KATA)


def test_a_refused_volume_is_not_created_again(made: Make) -> None:
    store = made(type="tmpfs", device="tmpfs")
    with pytest.raises(FileExistsError):
        store.create(KATA)


def test_a_refused_volume_is_not_removed(made: Make, docker_place: DockerPlace) -> None:
    store = made(type="tmpfs", device="tmpfs")
    with pytest.raises(VolumeRefused):
        store.remove(KATA)
    assert docker_place.own + KATA in docker_place.engine.volumes()


def _directory(docker_place: DockerPlace) -> Path:
    """Where the engine keeps the kata's volume."""
    inspected = docker_place.engine.cli("volume", "inspect", "--format", "{{.Mountpoint}}", docker_place.own + KATA)
    return Path(inspected.stdout.strip())


def test_a_volume_whose_place_is_gone_is_not_found(made: Make, docker_place: DockerPlace) -> None:
    """As the engine leaves it when it has removed one, and before it says so."""
    store = made()
    shutil.rmtree(_directory(docker_place).parent)
    with pytest.raises(FileNotFoundError):
        store.open(KATA)


def test_a_volume_of_which_only_the_directory_is_gone_is_refused(made: Make, docker_place: DockerPlace) -> None:
    """No engine has done that; and if it weren't there, a backup would delete its copy."""
    store = made()
    where = _directory(docker_place)
    where.rmdir()
    with pytest.raises(VolumeRefused, match=f"{KATA} is refused: its directory {where} is not there"):
        store.open(KATA)


def test_a_volume_that_the_engine_is_just_removing_is_not_found(
    made: Make, docker_place: DockerPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = made()
    where = _directory(docker_place)
    where.rmdir()
    (where.parent / "opts.json").unlink(missing_ok=True)
    monkeypatch.setattr(docker, "time", SimpleNamespace(sleep=lambda _: where.parent.rmdir()))
    with pytest.raises(FileNotFoundError):
        store.open(KATA)


def test_volumes_that_are_hidden_are_not_missing_where_the_root_volume_is_elsewhere(
    made: Make, docker_place: DockerPlace, disk: Path
) -> None:
    needs.root()
    root, options = docker_place.own + ROOT_VOLUME, ["--opt=type=none", "--opt=o=bind", f"--opt=device={disk}"]
    docker_place.engine.cli("volume", "create", *options, root)
    store = made()
    with memory_disk(_directory(docker_place).parent.parent.parent), pytest.raises(StoreUnreachable):
        store.open(KATA)


@pytest.mark.parametrize("with_root", [True, False])
def test_an_engines_volumes_that_are_hidden_are_not_missing(
    made: Make, docker_place: DockerPlace, with_root: bool
) -> None:
    """Their disk was unmounted lazily, say, or the engine is another machine's."""
    needs.root()
    store = made()
    if with_root:
        store.create(ROOT_VOLUME)
    volumes = _directory(docker_place).parent.parent
    hidden = volumes if with_root else volumes.parent
    reason = r"volumes are not here: .* is not there"
    with memory_disk(hidden):
        assert re.search(reason, store.fault() or "")
        with pytest.raises(StoreUnreachable, match=reason):
            store.open(KATA)
    assert store.fault() is None
    os.close(store.open(KATA))


def test_a_link_in_place_of_a_volumes_directory_is_not_followed(
    made: Make, docker_place: DockerPlace, disk: Path
) -> None:
    store = made()
    where = _directory(docker_place)
    where.rmdir()
    where.symlink_to(disk)
    with pytest.raises(VolumeRefused, match="is not a directory"):
        store.open(KATA)
    where.unlink()
    where.mkdir()
