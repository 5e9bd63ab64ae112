"""Katas to convert and to export: real ones and small ones, in the stores that need no engine."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from katafs.converter.tag_form import AvatarOutcome, store_as_tags
from katafs.kata_id import KataId, VolumeName, inner_of, outer_of
from katafs.namespace import Layout
from katafs.storers.git import GitStorer
from katafs.storers.storer import Tag
from katafs.volumes.directories import DirectoryStore
from katafs.volumes.memory import MemoryStore
from katafs.volumes.store import VolumeStore
from katafs.volumes.tree_store import TreeStore
from tests.harness import needs, real_katas
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.programs import run

AVATARS = 29
TAGS = 279
"""How many avatars with git, and tags, both sets have together."""


def volume(store: VolumeStore, name: str) -> Path:
    """Where a volume is on this host."""
    descriptor = store.open(VolumeName(name))
    try:
        return Path(os.readlink(f"/proc/self/fd/{descriptor}"))
    finally:
        os.close(descriptor)


def inside(tree: Path, kata: str) -> Path:
    """Where a kata is in a tree as servers have it."""
    return tree / outer_of(KataId(kata)) / inner_of(KataId(kata))


@dataclass(frozen=True)
class Real:
    """The real katas: as they lay on a server's disk, and in the volumes of a store."""

    tree: Path
    store: VolumeStore
    outcomes: list[AvatarOutcome]
    """What came of each avatar, where they were brought into the git-free form."""

    def katas(self) -> list[KataId]:
        """Their ids."""
        return self.store.catalog().katas()

    def volume(self, kata: str) -> Path:
        """Where a kata's volume is on this host."""
        return volume(self.store, kata)

    def avatars(self) -> list[tuple[KataId, str]]:
        """Those that git keeps on the server's disk."""
        found = ((kata, path.parent.name) for kata in self.katas() for path in inside(self.tree, kata).glob("*/.git"))
        return sorted(found)

    def tags(self) -> dict[tuple[KataId, str], list[Tag]]:
        """What the server's git says of each of them."""
        with closing(TreeStore(self.tree, Layout.SPLIT)) as server:
            return {avatar: GitStorer(server).tags(*avatar) for avatar in self.avatars()}


@pytest.fixture(scope="module")
def server_tree() -> Iterator[Path]:
    """Both sets of real katas, as they lay on the servers' disks."""
    needs.programs("git")
    with real_katas.unpacked() as directory:
        yield directory / "katas"


KINDS = [pytest.param(kind, marks=pytest.mark.xdist_group(f"converter-{kind}")) for kind in ("directories", "memory")]


def _store(kind: str, directory: Path) -> VolumeStore:
    return MemoryStore() if kind == "memory" else DirectoryStore(directory / "volumes", create_missing=True)


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, disk: Path) -> Iterator[VolumeStore]:
    """An empty store of each kind."""
    with closing(_store(request.param, disk)) as made:
        yield made


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which store the real katas are in."""
    kind: str = request.param
    return kind


@contextmanager
def directory_of(kind: str) -> Iterator[Path]:
    """A fresh directory, on the disk or in memory as the store is: a disk makes exports wait."""
    if kind == "memory":
        with closing(MemoryStore()) as store:
            yield store.path
    else:
        directory = fresh_directory()
        yield directory
        remove_directory(directory)


@pytest.fixture
def out(kind: str) -> Iterator[Path]:
    """Where to export to."""
    with directory_of(kind) as directory:
        yield directory / "out"


def _filled(kind: str, server_tree: Path, **how: bool) -> Iterator[Real]:
    directory = fresh_directory()
    with closing(_store(kind, directory)) as store:
        for path in sorted(server_tree.glob("??/????????")):
            name = VolumeName(path.parent.name + path.name)
            store.create(name)
            run(["cp", "--archive", "--no-target-directory", path, volume(store, name)])
        outcomes = [outcome for kata in store.catalog().katas() if how for outcome in store_as_tags(store, kata, **how)]
        yield Real(server_tree, store, outcomes)
    remove_directory(directory)


@pytest.fixture(scope="module")
def real(kind: str, server_tree: Path) -> Iterator[Real]:
    """The real katas in a store. Tests only read these, since many share them."""
    yield from _filled(kind, server_tree)


@pytest.fixture(scope="module")
def without_git(kind: str, server_tree: Path) -> Iterator[Real]:
    """The same, every avatar in the git-free form."""
    yield from _filled(kind, server_tree, drop_git=True)


@pytest.fixture(scope="module")
def both_forms(kind: str, server_tree: Path) -> Iterator[Real]:
    """The same, every avatar in both forms."""
    yield from _filled(kind, server_tree, drop_git=False)
