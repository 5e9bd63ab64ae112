"""rename and renameat2: every kind onto every kind, flags, permissions, and what open descriptors see."""

import os

import pytest

from tests.posix.compare import compared
from tests.posix.objects import KINDS, contents, listing, make
from tests.posix.place import NOBODY, SERVER, Place, User, acting_as, wait_for_clock_past
from tests.posix.syscalls import RENAME_EXCHANGE, RENAME_NOREPLACE, renameat2

FLAGS = {"plain": 0, "noreplace": RENAME_NOREPLACE, "exchange": RENAME_EXCHANGE}


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
@compared
def test_every_kind_onto_every_kind(at: Place, source: str, target: str, flags: str) -> None:
    make(at, source, "a")
    make(at, target, "b")
    outcome = at.tries(renameat2, "a", "b", FLAGS[flags])
    listing(at)
    if source == "nothing":
        assert outcome == "ENOENT"
    elif target == "nothing":
        assert outcome == ("ENOENT" if flags == "exchange" else "ok")
    elif flags == "noreplace":
        assert outcome == "EEXIST"
    elif flags == "exchange":
        assert outcome == "ok"
        assert at.sees("a")["type"] != "?"


@pytest.mark.parametrize("flags", [3, 6, 8, 1 << 20])
@compared
def test_flags_that_make_no_sense(at: Place, flags: int) -> None:
    at.file("a", b"a")
    at.file("b", b"b")
    assert at.tries(renameat2, "a", "b", flags) == "EINVAL"
    listing(at)


@pytest.mark.parametrize("flags", FLAGS)
@compared
def test_two_names_of_one_file(at: Place, flags: str) -> None:
    at.file("a", b"one")
    os.link("a", "b")
    at.tries(renameat2, "a", "b", FLAGS[flags])
    listing(at)


@pytest.mark.parametrize("flags", FLAGS)
@compared
def test_onto_itself(at: Place, flags: str) -> None:
    at.file("a", b"one")
    at.folder("d")
    at.tries(renameat2, "a", "a", FLAGS[flags])
    at.tries(renameat2, "d", "d", FLAGS[flags])
    listing(at)


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("source", ["d", "d/e", ".", "d/e/.."])
@pytest.mark.parametrize("target", ["d", "d/x", "d/e/x", "x", ".", "d/e/.."])
@compared
def test_into_its_own_depth_or_dots(at: Place, source: str, target: str, flags: str) -> None:
    at.folder("d")
    at.folder("d/e")
    at.tries(renameat2, source, target, FLAGS[flags])
    listing(at)


@pytest.mark.parametrize("source", ["f", "d", "link", "linkdir"])
@pytest.mark.parametrize("slash", [("/", ""), ("", "/"), ("/", "/")])
@compared
def test_with_slashes_behind(at: Place, source: str, slash: tuple[str, str]) -> None:
    at.file("f")
    at.folder("d")
    os.symlink("f", "link")
    os.symlink("d", "linkdir")
    at.tries(os.rename, source + slash[0], "new" + slash[1])
    listing(at)


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("source", ["file", "folder"])
@compared
def test_times(at: Place, source: str, flags: str) -> None:
    at.folder("from")
    at.folder("to")
    make(at, source, "from/a")
    if flags == "exchange":
        make(at, source, "to/b")
    with at.watching("from", "to", "."):
        before = os.lstat("from/a")
        wait_for_clock_past(before.st_ctime_ns)  # it was made after the directory's time, maybe in the next tick
        renameat2("from/a", "to/b", FLAGS[flags])
    after = os.lstat("to/b")
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    at.notes("ctime moves on", after.st_ctime_ns > before.st_ctime_ns)
    at.sees("from", "to", "to/b")


@pytest.mark.parametrize("target", ["file", "folder"])
@compared
def test_replaced_target_that_is_open(at: Place, target: str) -> None:
    make(at, target, "a")
    make(at, target, "b")
    fd = at.open("b", os.O_RDONLY)
    inode = os.lstat("a").st_ino
    os.rename("a", "b")
    assert os.lstat("b").st_ino == inode
    assert at.sees(fd)["nlink"] == 0
    listing(at)


@compared
def test_replaced_target_with_another_name(at: Place) -> None:
    at.file("a", b"new")
    at.file("b", b"old")
    os.link("b", "c")
    with at.watching("c"):
        os.rename("a", "b")
    assert at.sees("c")["nlink"] == 1
    listing(at)


@compared
def test_open_file_follows_its_rename(at: Place) -> None:
    at.file("a", b"abc")
    at.folder("d")
    fd = at.open("a")
    os.rename("a", "d/b")
    os.write(fd, b"xyz")
    os.fchmod(fd, 0o600)
    assert contents("d/b") == b"xyz"
    at.sees("d/b", fd)
    at.file("a", b"another")
    assert at.gives(os.pread, fd, 9, 0) == b"xyz"


@compared
def test_open_folder_follows_its_rename(at: Place) -> None:
    at.folder("d")
    at.folder("e")
    fd = at.open("d", os.O_RDONLY)
    os.rename("d", "e/moved")
    os.close(os.open("x", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=fd))
    os.mkdir("y", dir_fd=fd)
    at.tries(os.stat, "../moved/x", dir_fd=fd)
    assert at.gives(lambda: sorted(os.listdir("e/moved"))) == ["x", "y"]


@compared
def test_moved_folder_gets_a_new_parent(at: Place) -> None:
    at.folder("from")
    at.folder("to")
    at.folder("from/d")
    os.rename("from/d", "to/d")
    assert os.stat("to/d/..").st_ino == os.stat("to").st_ino
    os.chdir("to/d")
    at.gives(lambda: sorted(os.listdir("..")))
    os.chdir(at.directory)
    assert (at.sees("from")["nlink"], at.sees("to")["nlink"]) == (2, 3)


@compared
def test_exchange_of_folders_moves_their_parents(at: Place) -> None:
    for name in ("p", "q", "p/d", "q/e", "p/d/in"):
        at.folder(name)
    at.file("q/e/other")
    renameat2("p/d", "q/e", RENAME_EXCHANGE)
    assert at.gives(lambda: os.listdir("q/e")) == ["in"]
    assert os.stat("q/e/..").st_ino == os.stat("q").st_ino
    listing(at)


@compared
def test_exchange_of_a_file_and_a_folder_counts_links(at: Place) -> None:
    at.folder("p")
    at.folder("q")
    at.folder("p/d")
    at.file("q/f")
    renameat2("p/d", "q/f", RENAME_EXCHANGE)
    assert (at.sees("p")["nlink"], at.sees("q")["nlink"]) == (2, 3)


@compared
def test_exchange_keeps_both_inodes(at: Place) -> None:
    at.file("a", b"a")
    at.file("b", b"b")
    inodes = os.stat("a").st_ino, os.stat("b").st_ino
    renameat2("a", "b", RENAME_EXCHANGE)
    assert (os.stat("b").st_ino, os.stat("a").st_ino) == inodes
    assert at.gives(contents, "a") == b"b"


@pytest.mark.parametrize("user", [NOBODY, SERVER, User(33, 33, (65534,))], ids=str)
@pytest.mark.parametrize("from_mode", [0o755, 0o1777, 0o775])
@pytest.mark.parametrize("to_mode", [0o755, 0o1777, 0o777])
@pytest.mark.parametrize("target", [None, NOBODY, SERVER], ids=str)
@compared
def test_who_may(at: Place, user: User, from_mode: int, to_mode: int, target: User | None) -> None:
    at.folder("from", from_mode, owner=NOBODY)
    at.folder("to", to_mode, owner=SERVER)
    at.file("from/a", owner=NOBODY)
    if target is not None:
        at.file("to/b", owner=target)
    with acting_as(user):
        at.tries(os.rename, "from/a", "to/b")
    listing(at)


@pytest.mark.parametrize("mode", [0o755, 0o555])
@pytest.mark.parametrize("owner", [NOBODY, SERVER], ids=str)
@compared
def test_folder_to_another_parent_must_be_writable(at: Place, mode: int, owner: User) -> None:
    at.folder("from", 0o777)
    at.folder("to", 0o777)
    at.folder("from/d", mode, owner=owner)
    with acting_as(NOBODY):
        outcome = at.tries(os.rename, "from/d", "to/d")
        at.tries(os.rename, "from/d", "from/e")
    assert outcome == ("ok" if (owner, mode) == (NOBODY, 0o755) else "EACCES")
    listing(at)


@compared
def test_noreplace_sees_a_file_made_behind_a_cached_absence(at: Place) -> None:
    at.file("a", b"mine")
    at.tries(os.stat, "b")
    with open(os.path.join(at.backing, "b"), "wb") as file:
        file.write(b"made behind the mount")
    assert at.tries(renameat2, "a", "b", RENAME_NOREPLACE) == "EEXIST"
    assert at.gives(contents, "b") == b"made behind the mount"


@compared
def test_again_and_again_over_an_open_reader(at: Place) -> None:
    at.file("f", b"0")
    for number in range(1, 60):
        fd = os.open("f", os.O_RDONLY)
        at.file("f.new", str(number).encode())
        os.rename("f.new", "f")
        at.gives(os.read, fd, 9)
        os.close(fd)
        assert contents("f") == str(number).encode()
        assert os.stat("f").st_nlink == 1
