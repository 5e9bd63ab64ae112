"""The store over a tree of directories, a mounted one in either layout and a server's own: what it promises as a store.

Whole katas alone are volumes there, and nothing is kept, so of the stores' contract it is held to what it can do.
"""

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from katafs.errors import StoreUnreachable, VolumeRefused
from katafs.kata_id import KataId, VolumeName
from katafs.namespace import Layout
from katafs.volumes.tree_store import TreeStore
from tests.contract.names import KATA, LION, OTHER
from tests.harness.mounts import mounting
from tests.harness.places import fresh_directory, remove_directory

THIRD = VolumeName("AB00000001")


@pytest.fixture(scope="module", params=["disk-split", "disk-flat", "mount-split", "mount-flat"])
def tree(request: pytest.FixtureRequest) -> Iterator[tuple[Path, Layout]]:
    """A tree, and its layout."""
    kind, layout = request.param.split("-")
    directory = fresh_directory()
    if kind == "disk":
        yield directory, Layout(layout)
    else:
        with mounting(directory) as mount:
            yield mount("--layout", layout).path, Layout(layout)
    remove_directory(directory)


@pytest.fixture
def store(tree: tuple[Path, Layout]) -> Iterator[TreeStore]:
    """A store in the tree, which has no katas."""
    store = TreeStore(*tree)
    yield store
    after = TreeStore(*tree)
    for name in after.catalog().names():
        for entry in path(tree, name).iterdir():
            entry.unlink()
        after.remove(name)
    after.close()
    store.close()


def path(tree: tuple[Path, Layout], name: VolumeName) -> Path:
    """Where a kata is in the tree."""
    root, layout = tree
    return root / name if layout is Layout.FLAT else root / name[:2] / name[2:]


def test_a_tree_without_katas_has_no_volumes(store: TreeStore) -> None:
    assert store.catalog().names() == frozenset()


def test_a_created_volume_is_a_katas_directory(store: TreeStore, tree: tuple[Path, Layout]) -> None:
    store.create(KATA)
    assert path(tree, KATA).is_dir()


def test_a_created_volume_exists(store: TreeStore) -> None:
    store.create(KATA)
    assert store.exists(KATA)


def test_a_volume_not_created_does_not_exist(store: TreeStore) -> None:
    assert not store.exists(KATA)


def test_a_kata_made_behind_the_store_exists_at_once(store: TreeStore, tree: tuple[Path, Layout]) -> None:
    path(tree, KATA).mkdir(parents=True)
    assert store.exists(KATA)


def test_the_catalog_lists_katas_in_order(store: TreeStore) -> None:
    for name in (THIRD, OTHER, KATA):
        store.create(name)
    assert store.catalog().katas() == [KataId(KATA), KataId(OTHER), KataId(THIRD)]


def test_the_catalog_finds_katas_by_their_outer_part(store: TreeStore) -> None:
    for name in (THIRD, OTHER, KATA):
        store.create(name)
    catalog = store.catalog()
    assert (catalog.katas_in("12"), catalog.count_in("12"), catalog.outers(), catalog.count()) == (
        [KataId(KATA), KataId(OTHER)],
        2,
        ["12", "AB"],
        3,
    )


def test_the_catalog_has_no_katas_where_there_is_no_outer_directory(store: TreeStore) -> None:
    assert store.catalog().katas_in("FF") == []


def test_the_catalog_contains_a_kata(store: TreeStore) -> None:
    store.create(KATA)
    assert (KATA in store.catalog(), OTHER in store.catalog(), LION in store.catalog()) == (True, False, False)


def test_strays_are_no_katas(store: TreeStore, tree: tuple[Path, Layout]) -> None:
    (tree[0] / "readme.txt").touch()
    (tree[0] / "abc").mkdir()
    found = store.catalog().katas()
    (tree[0] / "readme.txt").unlink()
    (tree[0] / "abc").rmdir()
    assert found == []


def test_creating_what_exists_is_refused(store: TreeStore) -> None:
    store.create(KATA)
    with pytest.raises(FileExistsError):
        store.create(KATA)


def test_of_threads_that_create_the_same_volume_one_wins(store: TreeStore) -> None:
    def created(_: int) -> bool:
        try:
            store.create(KATA)
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(created, range(8))).count(True) == 1


def test_an_avatars_volume_is_refused(store: TreeStore) -> None:
    with pytest.raises(VolumeRefused, match="no volumes but those of katas"):
        store.create(LION)


def test_a_name_that_is_no_volumes_is_refused(store: TreeStore) -> None:
    with pytest.raises(ValueError, match="not the name of a volume"):
        store.create(VolumeName("../123456789A"))


def test_an_avatars_volume_does_not_exist(store: TreeStore) -> None:
    store.create(KATA)
    assert not store.exists(LION)


def test_open_gives_a_descriptor_that_only_names_the_directory(store: TreeStore) -> None:
    store.create(KATA)
    fd = store.open(KATA)
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        os.listdir(fd)
    os.close(fd)
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("name", [KATA, LION])
def test_open_of_a_missing_volume_is_file_not_found(store: TreeStore, name: VolumeName) -> None:
    with pytest.raises(FileNotFoundError):
        store.open(name)


def test_a_removed_volume_is_gone(store: TreeStore) -> None:
    store.create(KATA)
    store.remove(KATA)
    assert not store.exists(KATA)


def test_a_removed_volume_can_be_created_again(store: TreeStore) -> None:
    store.create(KATA)
    store.remove(KATA)
    store.create(KATA)
    assert store.exists(KATA)


@pytest.mark.parametrize("name", [KATA, LION])
def test_removing_a_missing_volume_is_file_not_found(store: TreeStore, name: VolumeName) -> None:
    with pytest.raises(FileNotFoundError):
        store.remove(name)


def test_removing_a_volume_that_is_not_empty_is_refused(store: TreeStore, tree: tuple[Path, Layout]) -> None:
    store.create(KATA)
    (path(tree, KATA) / "file").touch()
    with pytest.raises(OSError, match="not empty") as caught:
        store.remove(KATA)
    assert caught.value.errno == errno.ENOTEMPTY


def test_no_volume_is_known_to_be_in_use(store: TreeStore) -> None:
    store.create(KATA)
    assert not store.in_use(KATA)


def test_the_location_is_the_katas_directory(store: TreeStore, tree: tuple[Path, Layout]) -> None:
    assert store.location(KATA) == f"type=bind,source={path(tree, KATA)}"


def test_the_url_names_the_tree(store: TreeStore, tree: tuple[Path, Layout]) -> None:
    assert store.url == f"tree:{tree[0]}"


def test_a_tree_that_answers_has_no_fault(store: TreeStore) -> None:
    assert store.fault() is None


def test_a_store_may_be_closed_twice(store: TreeStore) -> None:
    store.close()
    store.close()


def test_a_closed_store_is_unreachable(store: TreeStore) -> None:
    store.close()
    with pytest.raises(StoreUnreachable):
        store.exists(KATA)


def test_a_tree_that_is_not_there_is_unreachable(disk: Path) -> None:
    with pytest.raises(StoreUnreachable, match="can't be opened"):
        TreeStore(disk / "none", Layout.FLAT)


def test_another_directory_in_the_trees_place_is_not_taken_for_it(disk: Path) -> None:
    (disk / "tree").mkdir()
    store = TreeStore(disk / "tree", Layout.FLAT)
    (disk / "tree").rename(disk / "moved")
    (disk / "tree").mkdir()
    with pytest.raises(StoreUnreachable, match="another one is in its place"):
        store.exists(KATA)
    assert "another one is in its place" in (store.fault() or "")
    store.close()


def test_a_kata_that_is_a_link_is_refused(disk: Path) -> None:
    (disk / KATA).symlink_to("/")
    store = TreeStore(disk, Layout.FLAT)
    with pytest.raises(VolumeRefused, match="not a directory"):
        store.open(KATA)
    store.close()
