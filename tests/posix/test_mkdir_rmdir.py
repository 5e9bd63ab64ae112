"""mkdir and rmdir: what a new directory is like, when one goes, and what is left to who holds it."""

import os

import pytest

from tests.harness.waiting import until
from tests.posix.compare import compared
from tests.posix.objects import EXISTING, KINDS, listing, make
from tests.posix.place import NOBODY, SERVER, Place, acting_as


@pytest.mark.parametrize("kind", EXISTING)
@compared
def test_mkdir_onto_every_kind(at: Place, kind: str) -> None:
    make(at, kind, "x")
    assert at.tries(os.mkdir, "x") == "EEXIST"
    listing(at)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("slash", ["", "/"])
@compared
def test_rmdir_of_every_kind(at: Place, kind: str, slash: str) -> None:
    make(at, kind, "x")
    at.tries(os.rmdir, "x" + slash)
    listing(at)


@pytest.mark.parametrize("mode", [0, 0o111, 0o644, 0o755, 0o777, 0o1777, 0o2777, 0o4777, 0o7777])
@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o777])
@compared
def test_mode_and_umask(at: Place, mode: int, umask: int) -> None:
    os.umask(umask)
    at.tries(os.mkdir, "d", mode)
    assert at.sees("d")["mode"] == oct(mode & ~umask & 0o1777)


@compared
def test_belongs_to_the_caller(at: Place) -> None:
    at.folder("d", 0o777)
    with acting_as(SERVER):
        os.mkdir("d/mine")
    assert at.sees("d/mine")["uid"] == SERVER.uid
    assert at.sees("d/mine")["gid"] == SERVER.gid


@compared
def test_counts_links_and_times_of_the_parent(at: Place) -> None:
    at.folder("d")
    for name in ("d/a", "d/b", "d/c"):
        with at.watching("d", "."):
            os.mkdir(name)
    assert at.sees("d")["nlink"] == 5
    with at.watching("d", "d/a", "."):
        os.rmdir("d/b")
    assert at.sees("d")["nlink"] == 4


@pytest.mark.parametrize("path", ["d/.", "d/..", "d/e/..", ".", "..", "d/e/.", "/"])
@compared
def test_rmdir_of_dots(at: Place, path: str) -> None:
    at.folder("d")
    at.folder("d/e")
    at.tries(os.rmdir, path)
    listing(at)


@pytest.mark.parametrize("mode", [0o555, 0o777, 0o1777])
@compared
def test_who_may_remove(at: Place, mode: int) -> None:
    at.folder("d", mode)
    at.folder("d/theirs", owner=SERVER)
    at.folder("d/mine", owner=NOBODY)
    with acting_as(NOBODY):
        at.tries(os.rmdir, "d/theirs")
        at.tries(os.rmdir, "d/mine")
        at.tries(os.mkdir, "d/new")
    listing(at)


@compared
def test_working_directory_that_is_removed(at: Place) -> None:
    at.folder("d")
    os.chdir("d")
    os.rmdir(os.path.join(at.directory, "d"))
    assert at.tries(os.getcwd) == "ENOENT"
    assert at.tries(os.mkdir, "x") == "ENOENT"
    assert at.opens("x", os.O_CREAT | os.O_RDWR) == "ENOENT"
    assert at.tries(os.stat, "x") == "ENOENT"
    assert at.gives(os.listdir, ".") == []
    at.tries(os.stat, "..")
    at.tries(os.chmod, ".", 0o700)
    assert at.sees(".")["nlink"] == 0


@compared
def test_open_folder_that_is_removed(at: Place) -> None:
    at.folder("d")
    fd = at.open("d", os.O_RDONLY)
    os.rmdir("d")
    at.folder("d")
    at.file("d/x")
    # Linux 5.10 keeps what it knew of it for its time.
    until(lambda: os.fstat(fd).st_size == 0, "the size of a removed directory")
    assert at.sees(fd)["nlink"] == 0
    assert at.gives(os.listdir, fd) == []
    assert at.tries(os.stat, "x", dir_fd=fd) == "ENOENT"
    at.tries(os.mkdir, "y", dir_fd=fd)
    at.tries(os.fchmod, fd, 0o700)
    at.tries(os.fsync, fd)


@compared
def test_same_name_again_is_a_new_folder(at: Place) -> None:
    for number in range(30):
        at.folder("d")
        at.file(f"d/{number}")
        assert at.gives(os.listdir, "d") == [str(number)]
        os.unlink(f"d/{number}")
        os.rmdir("d")
        assert at.tries(os.stat, "d") == "ENOENT"


@compared
def test_folder_turns_into_a_file_and_back(at: Place) -> None:
    for _ in range(10):
        at.folder("x")
        at.sees("x")
        os.rmdir("x")
        at.file("x", b"content")
        at.sees("x")
        os.unlink("x")


@compared
def test_makedirs_of_two_at_once_is_one(at: Place) -> None:
    os.makedirs("a/b/c", exist_ok=True)
    os.makedirs("a/b/c", exist_ok=True)
    assert at.tries(os.mkdir, "a/b/c") == "EEXIST"
    listing(at)
