"""The tree without a mount: what is kept of an inode, for how long, and how much of it at most."""

import errno
import os
import resource
from collections.abc import Callable

import pytest

from katafs.config import Sandboxes
from katafs.kata_id import VolumeName
from katafs.tree.attributes import Attributes
from katafs.tree.core import Core
from katafs.volumes.memory import MemoryStore
from tests.harness.refusals import refused
from tests.unit.conftest import Trees
from tests.unit.kernel import ME, ROOT, Kernel, volume_behind

OPEN_DIRECTORIES = 8


def core_of(tree: Kernel) -> Core:
    return tree.tree._core  # noqa: SLF001  # how much a tree keeps is told nowhere else


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def populate(tree: Kernel, wide: int, deep: int) -> None:
    """Makes that many directories beside each other and below each other, each with a file."""
    for number in range(wide):
        tree.mkdir(b"%03d" % number)
        tree.write(b"%03d/f" % number, b"%d" % number)
    path = b"deep"
    for _ in range(deep):
        tree.mkdir(path)
        tree.write(path + b"/f", b"content")
        path += b"/d"


MADE: dict[str, Callable[[Kernel], Attributes]] = {
    "file": lambda tree: tree.write(b"f", b""),
    "directory": lambda tree: tree.mkdir(b"f"),
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_each_lookup_counts(tree: Kernel, make: Callable[[Kernel], Attributes]) -> None:
    number = make(tree).number
    tree.lookup(b"f")
    tree.tree.forget([(number, 1)])

    assert tree.tree.inodes.getattr(number).number == number


def test_an_inode_is_forgotten_with_its_last_lookup(tree: Kernel) -> None:
    number = tree.write(b"f", b"").number
    tree.forget_all()

    with refused(errno.ESTALE):
        tree.tree.inodes.getattr(number)


def test_what_is_forgotten_is_found_again(tree: Kernel) -> None:
    tree.mkdir(b"123456789A")
    number = tree.write(b"123456789A/f", b"content").number
    tree.forget_all()

    assert tree.lookup(b"123456789A/f").number == number
    assert tree.read(b"123456789A/f") == b"content"


def test_a_file_is_reached_after_the_directory_it_was_seen_in_last_was_forgotten_and_moved(tree: Kernel) -> None:
    """Of two names the kernel may let go of the second, and of its directory, while the first is in use."""
    tree.mkdir(b"first")
    number = tree.write(b"first/f", b"content").number
    second = tree.mkdir(b"second").number
    tree.link(b"first/f", b"second/f")
    tree.tree.forget([(second, tree.known.pop(second))])
    tree.lookup(b"second")
    tree.rename(b"second", b"moved")

    assert tree.tree.inodes.getattr(number).links == 2


def test_the_top_is_never_forgotten(tree: Kernel) -> None:
    tree.tree.forget([(ROOT, 1000)])

    assert tree.tree.inodes.getattr(ROOT).number == ROOT


def test_an_entry_that_the_kernel_had_no_room_for_is_not_kept(tree: Kernel) -> None:
    number = tree.write(b"f", b"").number
    tree.forget_all()
    handle = tree.tree.directories.open(ROOT)
    assert [each.name for each in tree.listed(handle, room=2)] == [b".", b".."]
    tree.tree.directories.release(handle)

    with refused(errno.ESTALE):
        tree.tree.inodes.getattr(number)


def test_a_file_without_a_name_is_there_until_it_is_forgotten(tree: Kernel) -> None:
    number = tree.write(b"f", b"content").number
    tree.unlink(b"f")
    handle = tree.tree.files.open(number, os.O_RDONLY, ME)
    content = tree.tree.files.read(handle, 0, 100)
    tree.tree.files.release(handle)

    assert content == b"content"
    assert tree.tree.inodes.getattr(number).links == 0


def test_a_number_that_comes_to_stand_for_another_kata_is_a_new_generation(tree: Kernel, store: MemoryStore) -> None:
    """The kernel would go on showing the old kata's entries otherwise."""
    first = tree.mkdir(b"123456789A")
    (store.path / "123456789A").rename(store.path / "AAAAAAAAAA")
    volume_behind(store, "123456789A")
    second = tree.lookup(b"123456789A")

    assert first.number == second.number
    assert first.generation != second.generation


def test_a_kata_that_was_replaced_behind_the_tree_shows_what_is_there_now(tree: Kernel, store: MemoryStore) -> None:
    tree.mkdir(b"123456789A")
    tree.write(b"123456789A/f", b"old")
    (store.path / "123456789A").rename(store.path / "AAAAAAAAAA")
    volume_behind(store, "123456789A")
    (store.path / "123456789A" / "f").write_bytes(b"new")

    assert tree.read(b"123456789A/f") == b"new"


def test_open_descriptors_are_bounded_on_a_wide_and_on_a_deep_tree(tree_of: Trees) -> None:
    tree = tree_of(open_directories=OPEN_DIRECTORIES)
    before = descriptors()

    populate(tree, wide=100, deep=30)

    assert descriptors() - before <= OPEN_DIRECTORIES


def test_descriptors_of_files_that_have_lost_one_of_their_names_are_bounded(tree_of: Trees) -> None:
    tree = tree_of(open_directories=OPEN_DIRECTORIES)
    tree.mkdir(b"d")
    for number in range(100):
        tree.write(b"d/%d" % number, b"content")
        tree.link(b"d/%d" % number, b"d/other-%d" % number)
    before = descriptors()

    for number in range(100):
        tree.unlink(b"d/%d" % number)
        tree.rename(b"d/other-%d" % number, b"d/%d" % number)

    assert descriptors() - before <= OPEN_DIRECTORIES


def test_what_is_beyond_the_bound_is_still_reached(tree_of: Trees) -> None:
    tree = tree_of(open_directories=OPEN_DIRECTORIES)
    populate(tree, wide=100, deep=30)

    assert [tree.read(b"%03d/f" % number) for number in range(100)] == [b"%d" % number for number in range(100)]
    assert tree.read(b"deep" + 29 * b"/d" + b"/f") == b"content"


def test_a_deep_directory_is_reached_by_its_number_alone(tree_of: Trees) -> None:
    tree = tree_of(open_directories=OPEN_DIRECTORIES)
    populate(tree, wide=0, deep=30)
    number = tree.number(b"deep" + 29 * b"/d")
    populate(tree, wide=20, deep=0)

    assert tree.found(number, b"f").status.st_size == len(b"content")


def test_a_deep_directory_is_reached_with_few_descriptors_left(tree_of: Trees) -> None:
    tree = tree_of(open_directories=OPEN_DIRECTORIES)
    populate(tree, wide=0, deep=30)
    number = tree.number(b"deep" + 29 * b"/d")
    populate(tree, wide=20, deep=0)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open("/", os.O_PATH)  # the lowest that is
    os.close(free)

    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 10, before[1]))
    try:
        size = tree.found(number, b"f").status.st_size
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert size == len(b"content")


def test_a_directory_that_was_moved_behind_the_tree_is_stale_and_not_another(
    tree_of: Trees, store: MemoryStore
) -> None:
    """Reached through names again, after its descriptor was closed: another inode has the name now."""
    tree = tree_of(open_directories=1)
    tree.mkdir(b"a")
    number = tree.mkdir(b"a/b").number
    populate(tree, wide=3, deep=0)
    top = store.path / "katafs_root"
    (top / "a" / "b").rename(top / "elsewhere")
    (top / "a" / "b").mkdir()
    (top / "a" / "b" / "secret").touch()

    with refused(errno.ESTALE):
        tree.found(number, b"secret")


def test_nothing_is_kept_of_a_forgotten_tree(tree: Kernel) -> None:
    before = descriptors()
    populate(tree, wide=50, deep=5)
    tree.forget_all()

    assert len(core_of(tree).nodes) == 1
    assert descriptors() == before


def test_an_end_leaves_no_descriptor(tree_of: Trees) -> None:
    before = descriptors()
    tree = tree_of()
    populate(tree, wide=10, deep=3)
    tree.tree.close()

    assert descriptors() == before


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_removed_inodes_that_are_forgotten_leave_no_descriptor(tree: Kernel, kind: str) -> None:
    before = descriptors()
    for number in range(20):
        if kind == "directory":
            tree.mkdir(b"%d" % number)
            tree.rmdir(b"%d" % number)
        else:
            tree.write(b"%d" % number, b"")
            tree.unlink(b"%d" % number)
    tree.forget_all()

    assert descriptors() == before


@pytest.mark.timeout(30)
def test_directories_that_were_tied_into_a_ring_behind_the_tree_have_no_place(tree: Kernel, store: MemoryStore) -> None:
    """Each was seen last below the other, since a container moved them between the two lookups."""
    tree.mkdir(b"a")
    inner = tree.mkdir(b"a/b").number
    top = store.path / "katafs_root"
    (top / "a" / "b").rename(top / "b")
    (top / "a").rename(top / "b" / "a")
    tree.found(inner, b"a")

    with refused(errno.ESTALE):
        tree.tree.inodes.getxattr(inner, b"user.katafs.place", ME)


def test_a_kata_that_was_made_again_while_it_was_removed_shows_what_is_there_now(
    tree: Kernel, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store removes without the tree's lock, so that somebody may make and look up the next one meanwhile."""
    tree.mkdir(b"123456789A")
    remove = store.remove

    def removed_and_made_again(name: VolumeName) -> None:
        remove(name)
        (store.path / name).mkdir()
        (store.path / name / "f").touch()
        tree.lookup(b"123456789A")

    monkeypatch.setattr(store, "remove", removed_and_made_again)
    tree.rmdir(b"123456789A")

    assert tree.names(b"123456789A") == [b"f"]


def test_a_sandbox_is_made_although_its_avatar_is_replaced_meanwhile(
    tree_of: Trees, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store makes it without the tree's lock, so that the avatar's descriptor may be closed and its name moved."""
    tree = tree_of(open_directories=1, sandboxes=Sandboxes.AVATAR)
    tree.mkdir(b"123456789A")
    lion = tree.mkdir(b"123456789A/lion").number
    top = store.path / "123456789A"
    create = store.create

    def created_and_replaced(name: VolumeName) -> None:
        create(name)
        (top / "lion").rename(top / "was")
        (top / "lion").mkdir()
        monkeypatch.setattr(store, "create", create)
        tree.mkdir(b"another")

    monkeypatch.setattr(store, "create", created_and_replaced)
    before = descriptors()
    made = tree.tree.volumes.make(VolumeName("123456789A_lion"), lion, b"sandbox", 0o755, ME)
    tree.tree.forget([(made.number, 1)])

    assert descriptors() <= before
