"""Reading directories: every name once, with the right type and inode, also while the directory changes."""

import os
import stat

import pytest

from tests.posix.compare import compared
from tests.posix.objects import EXISTING, make
from tests.posix.place import Place
from tests.posix.syscalls import Entry, all_dents, getdents

DOTS = {b".", b".."}


def _names(entries: list[Entry]) -> list[bytes]:
    return [entry.name for entry in entries if entry.name not in DOTS]


@pytest.mark.parametrize("kind", EXISTING)
@compared
def test_type_and_inode_of_every_kind(at: Place, kind: str) -> None:
    make(at, kind, "x")
    (entry,) = (entry for entry in all_dents(at.open(".", os.O_RDONLY)) if entry.name == b"x")
    status = os.lstat("x")
    assert at.notes("type", entry.kind) == stat.S_IFMT(status.st_mode) >> 12
    assert entry.inode == status.st_ino


@pytest.mark.parametrize("known", [True, False])
@compared
def test_dots(at: Place, known: bool) -> None:
    at.folder("d")
    at.folder("d/e")
    if known:
        os.stat("d/e"), os.stat("d")
    for name, parent in (("d/e", "d"), ("d", ".")):
        entries = all_dents(at.open(name, os.O_RDONLY))
        inodes = {entry.name: entry.inode for entry in entries}
        at.notes("kinds", {entry.name: entry.kind for entry in entries})
        assert inodes[b"."] == os.stat(name).st_ino
        assert inodes[b".."] == os.stat(parent).st_ino
        assert [entry.name for entry in entries].count(b".") == 1


@compared
def test_dots_after_a_move(at: Place) -> None:
    for name in ("from", "to", "from/d"):
        at.folder(name)
    fd = at.open("from/d", os.O_RDONLY)
    all_dents(fd)
    os.rename("from/d", "to/d")
    os.lseek(fd, 0, os.SEEK_SET)
    inodes = {entry.name: entry.inode for entry in all_dents(fd)}
    assert at.notes("parent is", "to" if inodes[b".."] == os.stat("to").st_ino else "another") == "to"


@compared
def test_five_thousand_names(at: Place) -> None:
    names = sorted(b"name-%05d" % number for number in range(5000))
    folder = os.open(at.backing, os.O_RDONLY)
    for name in names:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=folder))
    os.close(folder)
    entries = all_dents(at.open(".", os.O_RDONLY))
    assert sorted(_names(entries)) == names
    with os.scandir(b".") as found:
        by_name = {entry.name: (entry.inode(), entry.is_file(follow_symlinks=False)) for entry in found}
    assert len(by_name) == 5000
    assert all(os.lstat(name).st_ino == inode and is_file for name, (inode, is_file) in by_name.items())
    at.notes("names", sorted(by_name))


@pytest.mark.parametrize("size", [280, 300, 512, 1024, 4096])
@compared
def test_small_buffers(at: Place, size: int) -> None:
    for number in range(100):
        at.file(f"name-{number}")
    names = _names(all_dents(at.open(".", os.O_RDONLY), size))
    assert at.notes("names", sorted(names)) == sorted(b"name-%d" % number for number in range(100))


@compared
def test_buffer_too_small_for_any_name(at: Place) -> None:
    at.file("n" * 255)
    fd = at.open(".", os.O_RDONLY)
    assert at.tries(all_dents, fd, 100) == "EINVAL"


def _read_in_steps(at: Place, change: object = None) -> list[bytes]:
    """Every name, a few at a time, with the change called between any two steps."""
    fd = at.open(".", os.O_RDONLY)
    names: list[bytes] = []
    while more := getdents(fd, 1024):
        names += _names(more)
        if callable(change):
            change(names)
    return names


STAYING = [b"stays-%04d" % number for number in range(400)]


@compared
def test_names_are_removed_meanwhile(at: Place) -> None:
    for name in STAYING:
        at.file(name)
        at.file(name.replace(b"stays", b"goes"))
    going = [name.replace(b"stays", b"goes") for name in STAYING]

    def remove(seen: list[bytes]) -> None:
        for _ in range(20):
            if going:
                os.unlink(going.pop())

    names = _read_in_steps(at, remove)
    assert len(names) == len(set(names))
    assert at.notes("staying", sorted(name for name in names if name.startswith(b"stays"))) == STAYING


@compared
def test_names_seen_are_removed_meanwhile(at: Place) -> None:
    for name in STAYING:
        at.file(name)
    removed = set()

    def remove(seen: list[bytes]) -> None:
        for name in seen:
            if name not in removed:
                os.unlink(name)
                removed.add(name)

    names = _read_in_steps(at, remove)
    assert at.notes("names", sorted(names)) == STAYING
    assert at.gives(os.listdir, ".") == []


@compared
def test_names_are_added_meanwhile(at: Place) -> None:
    for name in STAYING:
        at.file(name)
    added = iter(range(100_000))

    def add(seen: list[bytes]) -> None:
        for _ in range(10):
            at.file(f"new-{next(added)}")

    names = _read_in_steps(at, add)
    assert len(names) == len(set(names))
    assert at.notes("staying", sorted(name for name in names if name.startswith(b"stays"))) == STAYING


@compared
def test_names_are_renamed_meanwhile(at: Place) -> None:
    for name in STAYING:
        at.file(name)
    at.file("moving-0")
    moves = iter(range(100_000))

    def move(seen: list[bytes]) -> None:
        number = next(moves)
        os.rename(f"moving-{number}", f"moving-{number + 1}")

    names = _read_in_steps(at, move)
    assert at.notes("staying", sorted(name for name in names if name.startswith(b"stays"))) == STAYING


@compared
def test_rewound_directory_shows_what_is_new(at: Place) -> None:
    at.file("one")
    fd = at.open(".", os.O_RDONLY)
    assert at.gives(lambda: _names(all_dents(fd))) == [b"one"]
    at.file("two")
    os.unlink("one")
    os.lseek(fd, 0, os.SEEK_SET)
    assert at.gives(lambda: _names(all_dents(fd))) == [b"two"]


@compared
def test_going_back_to_any_place(at: Place) -> None:
    for number in range(150):
        at.file(f"name-{number}")
    fd = at.open(".", os.O_RDONLY)
    entries = all_dents(fd, 1024)
    for position in (0, 1, 2, 3, 50, 149, 150):
        os.lseek(fd, entries[position].offset, os.SEEK_SET)
        assert [entry.name for entry in all_dents(fd, 1024)] == [entry.name for entry in entries[position + 1 :]]
    os.lseek(fd, entries[-1].offset, os.SEEK_SET)
    assert all_dents(fd) == []
    assert at.notes("offsets are unlike", len({entry.offset for entry in entries})) == 152


@compared
def test_two_readers_do_not_disturb_each_other(at: Place) -> None:
    for number in range(200):
        at.file(f"name-{number}")
    one, two = at.open(".", os.O_RDONLY), at.open(".", os.O_RDONLY)
    first, second = [], []
    while True:
        more_one, more_two = getdents(one, 512), getdents(two, 900)
        first += _names(more_one)
        second += _names(more_two)
        if not more_one and not more_two:
            break
    assert sorted(first) == sorted(second)
    assert at.notes("names", len(set(first))) == 200


@compared
def test_new_names_show_at_once(at: Place) -> None:
    for number in range(30):
        at.file(f"f{number}")
        at.gives(lambda: sorted(os.listdir(".")))
    for number in range(30):
        os.unlink(f"f{number}")
        at.gives(lambda: sorted(os.listdir(".")))


@compared
def test_hard_links_share_an_inode_in_a_listing(at: Place) -> None:
    at.file("a")
    for name in ("b", "c"):
        os.link("a", name)
    at.folder("d")
    os.link("a", "d/e")
    inodes = {entry.inode for entry in all_dents(at.open(".", os.O_RDONLY)) if entry.kind == stat.S_IFREG >> 12}
    inodes |= {entry.inode for entry in all_dents(at.open("d", os.O_RDONLY)) if entry.name == b"e"}
    assert at.notes("inodes", len(inodes)) == 1


@compared
def test_inode_numbers_are_unlike(at: Place) -> None:
    for number in range(20):
        at.folder(f"d{number}")
        at.file(f"d{number}/f")
    inodes = [
        os.lstat(os.path.join(parent, name)).st_ino
        for parent, folders, files in os.walk(".")
        for name in folders + files
    ]
    assert 0 not in inodes
    assert at.notes("inodes", len(set(inodes))) == len(inodes) == 40


@compared
def test_reading_changes_no_time_but_atime(at: Place) -> None:
    at.folder("d")
    at.file("d/f")
    before = os.stat("d")
    os.listdir("d")
    after = os.stat("d")
    assert (before.st_mtime_ns, before.st_ctime_ns) == (after.st_mtime_ns, after.st_ctime_ns)
    at.sees("d")


@pytest.mark.parametrize("kind", ["file", "fifo", "link to folder"])
@compared
def test_getdents_of_what_is_no_folder(at: Place, kind: str) -> None:
    make(at, kind, "x")
    fd = at.open("x", os.O_RDWR if kind == "fifo" else os.O_RDONLY)
    assert at.tries(getdents, fd) == ("ok" if kind == "link to folder" else "ENOTDIR")
