"""The stores under contract, each with a way to change its volumes behind its back."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

import pytest

from katafs.volumes.directories import DirectoryStore
from katafs.volumes.docker import DockerStore
from katafs.volumes.legacy_disk import LegacyDisk
from katafs.volumes.legacy_store import LegacyStore
from katafs.volumes.memory import MemoryStore
from katafs.volumes.store import VolumeStore
from tests.harness.engine import Engine

_numbers = itertools.count()


class Place(Protocol):
    """A place for volumes, and the stores that a test opens on it."""

    def open(self, prefix: str = "") -> VolumeStore:
        """One more store, closed after the test. Its volumes can't be another test's, whatever the prefix."""

    def make_behind(self, stored: str) -> None:
        """Make a volume without any store's help."""

    def remove_behind(self, stored: str) -> None:
        """Remove a volume, with its content, without any store's help."""


class DirectoryPlace:
    """Volumes in a directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, prefix: str = "") -> VolumeStore:
        """As in Place."""
        return DirectoryStore(self.path, prefix)

    def make_behind(self, stored: str) -> None:
        """As in Place."""
        (self.path / stored).mkdir()

    def remove_behind(self, stored: str) -> None:
        """As in Place."""
        shutil.rmtree(self.path / stored)


class MemoryPlace(DirectoryPlace):
    """Volumes in memory."""

    def __init__(self) -> None:
        self.owner = MemoryStore()
        super().__init__(self.owner.path)

    def open(self, prefix: str = "") -> VolumeStore:
        """As in Place."""
        return MemoryStore(prefix, beside=self.owner)


class DockerPlace:
    """Volumes in an engine that others use too: every test has a prefix of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.own = f"p{os.getpid()}-{next(_numbers)}-"

    def open(self, prefix: str = "") -> DockerStore:
        """As in Place."""
        return DockerStore(self.own + prefix, base_url=self.engine.url)

    def make_behind(self, stored: str) -> None:
        """As in Place."""
        self.engine.cli("volume", "create", self.own + stored)

    def remove_behind(self, stored: str) -> None:
        """As in Place."""
        self.engine.cli("volume", "rm", self.own + stored)

    def clean_up(self) -> None:
        """Remove this test's volumes."""
        left = [volume for volume in self.engine.volumes() if volume.startswith(self.own)]
        if left:
            self.engine.cli("volume", "rm", *left)


@pytest.fixture
def docker_place(engine: Engine) -> Iterator[DockerPlace]:
    """A place in an engine that runs."""
    place = DockerPlace(engine)
    yield place
    if not engine.runs:
        engine.start()
    place.clean_up()


class LegacyPlace(DirectoryPlace):
    """Volumes in a directory, beside an old disk on which nothing is left."""

    def __init__(self, disk: Path) -> None:
        self._closing = ExitStack()
        self._old = disk / "old"
        self._old.mkdir()
        (disk / "volumes").mkdir()
        super().__init__(disk / "volumes")

    def open(self, prefix: str = "") -> VolumeStore:
        """As in Place."""
        store = self._closing.enter_context(closing(super().open(prefix)))
        return LegacyStore(store, self._closing.enter_context(closing(LegacyDisk(self._old))))

    def close(self) -> None:
        """What a LegacyStore leaves to whoever made its parts."""
        self._closing.close()


@pytest.fixture
def legacy_place(disk: Path) -> Iterator[LegacyPlace]:
    """A place beside an old disk."""
    place = LegacyPlace(disk)
    yield place
    place.close()


@pytest.fixture
def memory_place() -> Iterator[MemoryPlace]:
    """A place in memory."""
    place = MemoryPlace()
    yield place
    place.owner.close()


@pytest.fixture
def directory_place(disk: Path) -> DirectoryPlace:
    """A place on the disk."""
    return DirectoryPlace(disk)


@pytest.fixture(
    params=["directory", "memory", "legacy", pytest.param("docker", marks=pytest.mark.xdist_group("docker"))]
)
def place(request: pytest.FixtureRequest) -> Place:
    """Each kind of place."""
    place: Place = request.getfixturevalue(f"{request.param}_place")
    return place


@pytest.fixture
def stores(place: Place) -> Iterator[Callable[..., VolumeStore]]:
    """Opens stores at the place."""
    opened: list[VolumeStore] = []

    def open_store(prefix: str = "") -> VolumeStore:
        opened.append(place.open(prefix))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def store(stores: Callable[..., VolumeStore]) -> VolumeStore:
    """One store at the place."""
    return stores()
