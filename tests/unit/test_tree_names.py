"""The tree without a mount: names looked up, made, moved and removed."""

import errno
import os
import stat

import pytest

from katafs.config import Sandboxes, TreeSettings
from katafs.kata_id import ROOT_VOLUME
from katafs.namespace import Layout
from katafs.rooted.names import RENAME_EXCHANGE, RENAME_NOREPLACE
from katafs.tree.inodes import Changes
from katafs.tree.tree import Tree
from katafs.volumes.memory import MemoryStore
from tests.harness import needs
from tests.harness.refusals import refused
from tests.unit.conftest import Trees
from tests.unit.kernel import ME, Kernel, Somebody, volume_behind

OTHER = Somebody(12345, 54321)


@pytest.fixture
def split(tree_of: Trees) -> Kernel:
    """A split tree on `store`."""
    return tree_of(layout=Layout.SPLIT)


def test_an_outer_directory_that_volumes_call_for_is_made_as_the_top_is(split: Kernel, store: MemoryStore) -> None:
    needs.root()
    top = store.path / ROOT_VOLUME
    os.chown(top, 1, 2)
    top.chmod(0o1750)
    volume_behind(store, "123456789A")
    split.write(b"12/readme.txt", b"")

    made = (top / "12").stat()
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (1, 2, 0o750)


@pytest.mark.parametrize(("outer", "kata"), [("", b"123456789A"), ("12", b"12/3456789A")], ids=["flat", "split"])
def test_a_directory_says_when_a_kata_came_or_went(tree_of: Trees, store: MemoryStore, outer: str, kata: bytes) -> None:
    tree = tree_of(layout=Layout.SPLIT if outer else Layout.FLAT)
    if outer:
        tree.mkdir(b"12")
    above = store.path / ROOT_VOLUME / outer
    for change in (tree.mkdir, tree.rmdir):
        os.utime(above, (0, 0))
        change(kata)

        assert above.stat().st_mtime > 0


def test_a_kata_with_an_avatars_volume_is_not_empty(tree: Kernel, store: MemoryStore) -> None:
    tree.mkdir(b"123456789A")
    volume_behind(store, "123456789A_lion")

    with refused(errno.ENOTEMPTY):
        tree.rmdir(b"123456789A")


def test_a_new_kata_is_a_volume(tree: Kernel, store: MemoryStore) -> None:
    tree.mkdir(b"123456789A")

    assert (store.path / "123456789A").is_dir()


def test_a_new_kata_of_a_split_tree_is_a_volume(split: Kernel, store: MemoryStore) -> None:
    split.mkdir(b"12")
    split.mkdir(b"12/3456789A")

    assert sorted(os.listdir(store.path)) == ["123456789A", "katafs_root"]


def test_an_outer_directory_that_is_made_is_kept_in_the_root_volume(split: Kernel, store: MemoryStore) -> None:
    split.mkdir(b"12")

    assert os.listdir(store.path / "katafs_root") == ["12"]


def test_a_kata_that_exists_is_not_made_again(tree: Kernel) -> None:
    tree.mkdir(b"123456789A")

    with refused(errno.EEXIST):
        tree.mkdir(b"123456789A")


def test_a_kata_is_made_at_its_alias_too(tree: Kernel, store: MemoryStore) -> None:
    tree.mkdir(b"12")
    tree.mkdir(b"12/3456789A")

    assert stat.S_ISDIR(tree.lookup(b"123456789A").status.st_mode)
    assert stat.S_ISLNK(tree.lookup(b"12/3456789A").status.st_mode)


def test_the_mode_asked_for_is_the_katas(tree: Kernel, store: MemoryStore) -> None:
    tree.mkdir(b"123456789A", 0o710)

    assert stat.S_IMODE((store.path / "123456789A").stat().st_mode) == 0o710


def test_a_kata_belongs_to_who_made_it(tree: Kernel, store: MemoryStore) -> None:
    needs.root()
    told = tree.mkdir(b"123456789A", caller=OTHER)
    status = (store.path / "123456789A").stat()

    assert (told.status.st_uid, told.status.st_gid) == (status.st_uid, status.st_gid) == (OTHER.uid, OTHER.gid)


def test_an_empty_kata_is_removed_with_its_volume(tree: Kernel, store: MemoryStore) -> None:
    tree.mkdir(b"123456789A")
    tree.rmdir(b"123456789A")

    assert os.listdir(store.path) == ["katafs_root"]
    with refused(errno.ENOENT):
        tree.lookup(b"123456789A")


def test_a_kata_that_is_not_empty_stays(tree: Kernel, store: MemoryStore) -> None:
    tree.mkdir(b"123456789A")
    tree.write(b"123456789A/manifest.json", b"{}")

    with refused(errno.ENOTEMPTY):
        tree.rmdir(b"123456789A")

    assert (store.path / "123456789A" / "manifest.json").read_bytes() == b"{}"


def test_a_volume_removed_behind_the_tree_is_not_found(tree: Kernel, store: MemoryStore) -> None:
    tree.mkdir(b"123456789A")
    (store.path / "123456789A").rmdir()

    with refused(errno.ENOENT):
        tree.lookup(b"123456789A")


@pytest.mark.parametrize(
    ("layout", "alias", "target"),
    [(Layout.FLAT, b"12/3456789A", b"../123456789A"), (Layout.SPLIT, b"123456789A", b"12/3456789A")],
)
def test_the_other_layouts_path_is_a_link(
    tree_of: Trees, store: MemoryStore, layout: Layout, alias: bytes, target: bytes
) -> None:
    volume_behind(store, "123456789A")
    tree = tree_of(layout=layout)

    assert stat.S_ISLNK(tree.lookup(alias).status.st_mode)
    assert tree.readlink(alias) == target
    assert tree.lookup(alias).status.st_size == len(target)


@pytest.mark.parametrize(("layout", "alias"), [(Layout.FLAT, b"12/3456789A"), (Layout.SPLIT, b"123456789A")])
def test_without_the_kata_there_is_no_alias(tree_of: Trees, store: MemoryStore, layout: Layout, alias: bytes) -> None:
    volume_behind(store, "12FFFFFFFF")

    with refused(errno.ENOENT):
        tree_of(layout=layout).lookup(alias)


def test_an_alias_can_not_be_removed(split: Kernel, store: MemoryStore) -> None:
    volume_behind(store, "123456789A")

    with refused(errno.EPERM):
        split.unlink(b"123456789A")

    assert (store.path / "123456789A").is_dir()


def test_an_alias_is_no_directory_to_remove(split: Kernel, store: MemoryStore) -> None:
    volume_behind(store, "123456789A")

    with refused(errno.ENOTDIR):
        split.rmdir(b"123456789A")

    assert (store.path / "123456789A").is_dir()


@pytest.mark.parametrize("layout", Layout)
def test_a_file_at_an_alias_is_refused_where_the_kata_exists(
    tree_of: Trees, store: MemoryStore, layout: Layout
) -> None:
    volume_behind(store, "123456789A")
    alias = b"12/3456789A" if layout is Layout.FLAT else b"123456789A"

    with refused(errno.EEXIST):
        tree_of(layout=layout).write(alias, b"")


@pytest.mark.parametrize("name", [b"123456789a", b"123456789", b"readme.txt", b"\xff\xfe", b"1g", b"x" * 255])
def test_any_other_directory_is_kept_in_the_root_volume(tree: Kernel, store: MemoryStore, name: bytes) -> None:
    tree.mkdir(name)

    assert os.listdir(os.fsencode(store.path / "katafs_root")) == [name]


def test_a_file_named_like_a_kata_is_an_ordinary_file(tree: Kernel, store: MemoryStore) -> None:
    tree.write(b"123456789A", b"no directory")

    assert tree.read(b"123456789A") == b"no directory"
    assert (store.path / "katafs_root" / "123456789A").read_bytes() == b"no directory"


def test_a_kata_is_not_made_where_a_file_has_its_name(tree: Kernel, store: MemoryStore) -> None:
    tree.write(b"123456789A", b"no directory")

    with refused(errno.EEXIST):
        tree.mkdir(b"123456789A")

    assert tree.read(b"123456789A") == b"no directory"


def test_an_avatars_sandbox_is_a_volume_where_that_is_asked_for(tree_of: Trees, store: MemoryStore) -> None:
    tree = tree_of(sandboxes=Sandboxes.AVATAR)
    for path in (b"123456789A", b"123456789A/lion", b"123456789A/lion/sandbox"):
        tree.mkdir(path)
    tree.write(b"123456789A/lion/sandbox/hiker.c", b"int")

    assert os.listdir(store.path / "123456789A_lion") == ["hiker.c"]


def test_an_avatars_sandbox_stays_in_the_katas_volume_otherwise(tree: Kernel, store: MemoryStore) -> None:
    for path in (b"123456789A", b"123456789A/lion", b"123456789A/lion/sandbox"):
        tree.mkdir(path)

    assert sorted(os.listdir(store.path)) == ["123456789A", "katafs_root"]
    assert (store.path / "123456789A" / "lion" / "sandbox").is_dir()


def test_an_avatars_volume_that_exists_is_served_whatever_is_asked_for(tree_of: Trees, store: MemoryStore) -> None:
    volume_behind(store, "123456789A_lion")
    (store.path / "123456789A_lion" / "hiker.c").write_bytes(b"int")

    assert tree_of(sandboxes=Sandboxes.KATA).read(b"123456789A/lion/sandbox/hiker.c") == b"int"


def test_a_volume_is_not_linked_into(tree: Kernel) -> None:
    tree.write(b"readme.txt", b"")
    tree.mkdir(b"123456789A")

    with refused(errno.EXDEV):
        tree.link(b"readme.txt", b"123456789A/readme.txt")


@pytest.mark.parametrize("flags", [0, RENAME_NOREPLACE])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"readme.txt", b"123456789A/readme.txt"),
        (b"123456789A/f", b"f"),
        (b"123456789A/f", b"BBBBBBBBBB/f"),
        (b"123456789A", b"AAAAAAAAAA"),
        (b"123456789A", b"plain"),
        (b"123456789A", b"123456789A_old"),
        (b"plain", b"AAAAAAAAAA"),
        (b"plain", b"12/3456789B"),
        (b"12/3456789A", b"12/f"),
    ],
)
def test_nothing_is_moved_from_one_volume_to_another(tree: Kernel, old: bytes, new: bytes, flags: int) -> None:
    tree.write(b"readme.txt", b"")
    tree.mkdir(b"12")
    if old.startswith(b"plain"):
        tree.mkdir(b"plain")
    for kata in (b"123456789A", b"BBBBBBBBBB"):
        tree.mkdir(kata)
    tree.write(b"123456789A/f", b"")

    with refused(errno.EXDEV):
        tree.rename(old, new, flags)


def test_a_volume_is_not_exchanged(tree: Kernel) -> None:
    for name in (b"123456789A", b"plain"):
        tree.mkdir(name)

    with refused(errno.EXDEV):
        tree.rename(b"123456789A", b"plain", RENAME_EXCHANGE)


@pytest.mark.parametrize("names", [(b"BBBBBBBBBB", b"plain"), (b"plain", b"BBBBBBBBBB")], ids=["there", "from there"])
def test_no_directory_is_exchanged_for_what_has_the_name_of_a_kata(tree: Kernel, names: tuple[bytes, bytes]) -> None:
    """It would be a kata without a volume."""
    tree.write(b"BBBBBBBBBB", b"")
    tree.mkdir(b"plain")

    with refused(errno.EXDEV):
        tree.rename(*names, RENAME_EXCHANGE)


def test_a_file_moves_within_its_volume(tree: Kernel) -> None:
    tree.mkdir(b"123456789A")
    tree.mkdir(b"123456789A/lion")
    number = tree.write(b"123456789A/f", b"content").number
    tree.rename(b"123456789A/f", b"123456789A/lion/g")

    assert tree.lookup(b"123456789A/lion/g").number == number
    assert tree.read(b"123456789A/lion/g") == b"content"


def test_a_directory_that_moved_is_reached_at_its_new_name(tree: Kernel) -> None:
    tree.mkdir(b"a")
    tree.mkdir(b"a/b")
    tree.write(b"a/b/f", b"content")
    tree.rename(b"a/b", b"c")

    assert tree.read(b"c/f") == b"content"
    with refused(errno.ENOENT):
        tree.lookup(b"a/b")


@pytest.mark.parametrize("flags", [4, 8, RENAME_NOREPLACE | RENAME_EXCHANGE])
def test_rename_flags_that_are_not_known_are_refused(tree: Kernel, flags: int) -> None:
    tree.write(b"f", b"")

    with refused(errno.EINVAL):
        tree.rename(b"f", b"g", flags)


def test_the_names_of_a_hard_link_share_a_number(tree: Kernel) -> None:
    tree.write(b"a", b"content")
    tree.link(b"a", b"b")

    assert tree.lookup(b"a").number == tree.lookup(b"b").number
    assert tree.lookup(b"a").links == 2


def test_one_name_of_a_hard_link_goes_and_the_other_stays(tree: Kernel) -> None:
    tree.write(b"a", b"content")
    tree.link(b"a", b"b")
    tree.unlink(b"a")

    assert tree.read(b"b") == b"content"


def test_a_read_only_tree_makes_no_root_volume(tree_of: Trees, store: MemoryStore) -> None:
    tree_of(read_only=True)

    assert os.listdir(store.path) == []


def test_a_prefix_stands_before_every_volume(own_process: None) -> None:
    store = MemoryStore("test-")
    tree = Tree(store, TreeSettings())
    Kernel(tree).mkdir(b"123456789A")
    found = sorted(os.listdir(store.path))
    tree.close()
    store.close()

    assert found == ["test-123456789A", "test-katafs_root"]


def test_a_file_in_the_place_of_an_avatar_that_volumes_call_for_is_not_taken_for_its_directory(
    tree: Kernel, store: MemoryStore
) -> None:
    tree.mkdir(b"123456789A")
    volume_behind(store, "123456789A_lion")
    in_its_place = store.path / "123456789A" / "lion"
    in_its_place.touch(mode=0o600)
    lion = tree.lookup(b"123456789A/lion").number

    with refused(errno.EROFS):
        tree.tree.inodes.setattr(lion, Changes(mode=0o777), None, ME)
    assert in_its_place.stat().st_mode & 0o777 == 0o600
