"""link and linkat: two names, one inode."""

import os

import pytest

from tests.posix.compare import compared
from tests.posix.objects import EXISTING, KINDS, contents, listing, make
from tests.posix.place import NOBODY, Place, acting_as
from tests.posix.syscalls import AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_FOLLOW, linkat, truncate


@pytest.mark.parametrize("source", KINDS)
@compared
def test_every_kind(at: Place, source: str) -> None:
    make(at, source, "a")
    outcome = at.tries(os.link, "a", "b", follow_symlinks=False)
    listing(at)
    if outcome == "ok":
        assert os.lstat("a").st_ino == os.lstat("b").st_ino
        assert os.lstat("b").st_nlink == 2
    if "folder" in source and "link" not in source:
        assert outcome == "EPERM"


@pytest.mark.parametrize("target", EXISTING)
@compared
def test_onto_every_kind(at: Place, target: str) -> None:
    at.file("a")
    make(at, target, "b")
    assert at.tries(os.link, "a", "b") == "EEXIST"
    listing(at)


@pytest.mark.parametrize("kind", ["link to file", "link to folder", "dangling link", "looping link"])
@compared
def test_following_the_source(at: Place, kind: str) -> None:
    make(at, kind, "a")
    at.tries(linkat, AT_FDCWD, "a", "b", AT_SYMLINK_FOLLOW)
    listing(at)


@compared
def test_written_through_one_name_read_through_the_other(at: Place) -> None:
    at.file("a", b"old")
    os.link("a", "b")
    fd = at.open("b")
    os.write(fd, b"newer")
    assert contents("a") == b"newer"
    os.chmod("a", 0o700)
    truncate("b", 2)
    at.sees("a", "b", fd)
    assert os.stat("a").st_size == os.stat("b").st_size == 2


@compared
def test_count_goes_up_and_down(at: Place) -> None:
    at.file("f0", b"x")
    at.folder("d")
    for number in range(1, 40):
        os.link("f0", f"d/f{number}")
    assert at.sees("f0")["nlink"] == 40
    for number in range(1, 39):
        os.unlink(f"d/f{number}")
    assert at.sees("f0")["nlink"] == 2
    os.unlink("f0")
    assert at.sees("d/f39")["nlink"] == 1


@compared
def test_inode_is_the_same_in_every_way_to_ask(at: Place) -> None:
    at.file("a")
    os.link("a", "b")
    os.link("b", "c")
    fd = at.open("c")
    os.rename("b", "moved")
    inodes = {os.stat("a").st_ino, os.stat("moved").st_ino, os.fstat(fd).st_ino}
    inodes |= {entry.inode() for entry in os.scandir(".")}
    assert at.notes("inodes", len(inodes)) == 1


@compared
def test_times(at: Place) -> None:
    at.file("a")
    at.folder("d")
    with at.watching("a", ".", "d"):
        os.link("a", "d/b")
    with at.watching("a", ".", "d"):
        os.unlink("d/b")


@pytest.mark.parametrize("mode", [0o755, 0o555, 0o666])
@compared
def test_folder_must_be_writable(at: Place, mode: int) -> None:
    at.folder("d", mode, owner=NOBODY)
    at.file("f", owner=NOBODY)
    with acting_as(NOBODY):
        outcome = at.tries(os.link, "f", "d/f")
    assert outcome == ("ok" if mode == 0o755 else "EACCES")


@pytest.mark.parametrize("mode", [0o666, 0o644, 0o4777])
@compared
def test_of_somebody_elses_file(at: Place, mode: int) -> None:
    at.folder("d", 0o777)
    at.file("f", mode=mode)
    with acting_as(NOBODY):
        at.tries(os.link, "f", "d/f")
    at.sees("f")


@compared
def test_of_an_open_descriptor(at: Place) -> None:
    at.file("f", b"abc")
    fd = at.open("f")
    assert at.tries(linkat, fd, "", "g", AT_EMPTY_PATH) == "ok"
    assert at.tries(linkat, AT_FDCWD, f"/proc/self/fd/{fd}", "h", AT_SYMLINK_FOLLOW) == "ok"
    assert at.sees("h")["nlink"] == 3


@compared
def test_of_an_unlinked_file_is_refused(at: Place) -> None:
    at.file("f", b"abc")
    fd = at.open("f")
    os.unlink("f")
    assert at.tries(linkat, fd, "", "g", AT_EMPTY_PATH) == "ENOENT"
    assert at.sees(fd)["nlink"] == 0


@compared
def test_another_name_while_the_first_is_unlinked(at: Place) -> None:
    at.file("a", b"abc")
    os.link("a", "b")
    fd = at.open("a")
    os.unlink("a")
    os.write(fd, b"xyz")
    assert contents("b") == b"xyz"
    assert at.sees("b", fd)["nlink"] == 1


@compared
def test_link_to_itself_is_no_loop(at: Place) -> None:
    at.file("a")
    assert at.tries(os.link, "a", "a") == "EEXIST"


@compared
def test_to_another_file_system(at: Place) -> None:
    at.file("a")
    assert at.tries(os.link, "a", "/dev/no-such") == "EXDEV"
    assert at.tries(os.rename, "a", "/dev/no-such") == "EXDEV"
