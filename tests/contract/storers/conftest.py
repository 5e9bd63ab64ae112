"""The cells of the contract: GitStorer and PlainStorer, each on every store that it works on."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from katafs.config import Sandboxes
from katafs.namespace import Layout
from katafs.storers.git import GitStorer
from katafs.storers.plain import PlainStorer
from katafs.storers.storer import Storer
from katafs.volumes.directories import DirectoryStore
from katafs.volumes.memory import MemoryStore
from katafs.volumes.tree_store import TreeStore
from tests.contract.conftest import DockerPlace
from tests.contract.storers.cells import FILES, KATA, MANIFEST, NOW, Cell
from tests.harness.mounts import mounting
from tests.harness.places import fresh_directory, remove_directory

DOCKER = pytest.mark.xdist_group("docker")
CELLS = [
    "git-directories",
    pytest.param("git-docker", marks=DOCKER),
    "git-split",
    "plain-memory",
    "plain-memory-avatar",
    "plain-directories",
    "plain-directories-avatar",
    pytest.param("plain-docker", marks=DOCKER),
    pytest.param("plain-docker-avatar", marks=DOCKER),
    "plain-split",
    "plain-flat-avatar",
]
"""storer-store, `-avatar` where a sandbox has a volume of its own; split and flat are mounted trees."""


def _tree(*arguments: str) -> Iterator[Path]:
    directory = fresh_directory()
    with mounting(directory) as mount:
        yield mount(*arguments).path
    remove_directory(directory)


@pytest.fixture(scope="session")
def split_tree() -> Iterator[Path]:
    """A mounted tree that every test of this process shares, since each cleans up its katas."""
    yield from _tree("--layout", "split")


@pytest.fixture(scope="session")
def flat_tree() -> Iterator[Path]:
    """The same in the other layout, with a volume for each sandbox."""
    yield from _tree("--layout", "flat", "--sandboxes", "avatar")


@pytest.fixture
def _directories(disk: Path) -> Cell:
    return Cell(lambda: DirectoryStore(disk))


@pytest.fixture
def _docker(docker_place: DockerPlace) -> Cell:
    return Cell(docker_place.open)


@pytest.fixture
def _split(split_tree: Path) -> Cell:
    return Cell(lambda: TreeStore(split_tree, Layout.SPLIT))


@pytest.fixture
def _flat(flat_tree: Path) -> Cell:
    return Cell(lambda: TreeStore(flat_tree, Layout.FLAT))


@pytest.fixture
def _memory() -> Iterator[Cell]:
    owner = MemoryStore()
    yield Cell(lambda: MemoryStore(beside=owner))
    owner.close()


@pytest.fixture(params=CELLS)
def cell(request: pytest.FixtureRequest) -> Iterator[Cell]:
    """Each storer on each store."""
    kind, store, *mode = request.param.split("-")
    cell: Cell = request.getfixturevalue(f"_{store}")
    cell.git = kind == "git"
    if mode and store != "flat":  # whose daemon decides where a sandbox goes
        cell.sandboxes = Sandboxes.AVATAR
    yield cell
    cell.clean_up()


@pytest.fixture
def storer(cell: Cell) -> Storer:
    """A storer with nothing stored."""
    return cell.storer()


@pytest.fixture
def kata(storer: Storer) -> str:
    """A kata that is stored."""
    return storer.create_kata(MANIFEST)


@pytest.fixture
def lion(storer: Storer, kata: str) -> str:
    """An avatar that was started in the kata."""
    return storer.start_avatar(kata, ["lion"]) or "not started"


@pytest.fixture
def plain(disk: Path) -> Iterator[Storer]:
    """A storer without git, with an avatar."""
    with closing(DirectoryStore(disk)) as store:
        storer = PlainStorer(store)
        storer.create_kata(MANIFEST)
        storer.start_avatar(KATA, ["lion"])
        yield storer


@pytest.fixture
def git(disk: Path) -> Iterator[Storer]:
    """A storer with git, with an avatar that has run its tests once."""
    with closing(DirectoryStore(disk)) as store:
        storer = GitStorer(store)
        storer.create_kata(MANIFEST)
        storer.start_avatar(KATA, ["lion"])
        storer.avatar_ran_tests(KATA, "lion", FILES, NOW, "first", "red")
        yield storer
