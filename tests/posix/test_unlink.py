"""unlink, and files that stay open after it or after something was renamed over them."""

import mmap
import os

import pytest

from tests.posix.compare import compared
from tests.posix.objects import KINDS, PLAIN, contents, listing, make
from tests.posix.place import NOBODY, SERVER, WWW, Place, User, acting_as
from tests.posix.syscalls import UTIME_NOW, UTIME_OMIT, futimens, truncate


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("slash", ["", "/"])
@compared
def test_every_kind(at: Place, kind: str, slash: str) -> None:
    make(at, kind, "x")
    at.tries(os.unlink, "x" + slash)
    listing(at)


@pytest.mark.parametrize("path", [".", "..", "d/.", "d/..", "/"])
@compared
def test_dots(at: Place, path: str) -> None:
    at.folder("d")
    assert at.tries(os.unlink, path) != "ok"
    listing(at)


@pytest.mark.parametrize("mode", [0o777, 0o755, 0o555, 0o1777, 0o733, 0o722])
@pytest.mark.parametrize("user", [NOBODY, SERVER, WWW], ids=str)
@compared
def test_who_may(at: Place, mode: int, user: User) -> None:
    at.folder("d", mode, owner=WWW)
    at.file("d/nobody", owner=NOBODY)
    at.file("d/server", mode=0o777, owner=SERVER)
    with acting_as(user):
        at.tries(os.unlink, "d/nobody")
        at.tries(os.unlink, "d/server")
    listing(at)


@compared
def test_times(at: Place) -> None:
    at.folder("d")
    at.file("d/f")
    os.link("d/f", "other")
    fd = at.open("d/f")
    with at.watching("d", "other", "."):
        os.unlink("d/f")
    with at.watching(fd, "."):
        os.unlink("other")


def _gone(at: Place, how: str) -> int:
    """A descriptor of a file of 10 bytes that has no name any more."""
    at.file("f", b"0123456789", 0o640)
    fd = at.open("f")
    if how == "unlinked":
        os.unlink("f")
    else:
        at.file("new", b"another")
        os.rename("new", "f")
    assert at.sees(fd)["nlink"] == 0
    return fd


GONE = pytest.mark.parametrize("how", ["unlinked", "renamed over"])


@GONE
@compared
def test_nameless_file_is_read_and_written(at: Place, how: str) -> None:
    fd = _gone(at, how)
    assert at.gives(os.read, fd, 4) == b"0123"
    os.write(fd, b"XY")
    os.pwrite(fd, b"end", 20)
    assert at.gives(os.pread, fd, 99, 0) == b"0123XY6789" + bytes(10) + b"end"
    assert at.sees(fd)["size"] == 23
    listing(at)


@GONE
@compared
def test_nameless_file_is_truncated(at: Place, how: str) -> None:
    fd = _gone(at, how)
    assert at.tries(os.ftruncate, fd, 3) == "ok"
    assert at.sees(fd)["size"] == 3
    assert at.tries(os.ftruncate, fd, 30_000) == "ok"
    assert at.sees(fd)["size"] == 30_000
    listing(at)


@GONE
@compared
def test_nameless_file_changes_mode_and_owner(at: Place, how: str) -> None:
    fd = _gone(at, how)
    assert at.tries(os.fchmod, fd, 0o4711) == "ok"
    assert at.sees(fd)["mode"] == "0o4711"
    assert at.tries(os.fchown, fd, 33, 33) == "ok"
    assert at.sees(fd)["uid"] == 33
    listing(at)


@GONE
@compared
def test_nameless_file_changes_times(at: Place, how: str) -> None:
    fd = _gone(at, how)
    assert at.tries(futimens, fd, (1_000_000_000, 123_456_789), (1, UTIME_OMIT)) == "ok"
    assert at.gives(lambda: os.fstat(fd).st_atime_ns) == 1_000_000_000_123_456_789
    assert at.tries(futimens, fd, (0, UTIME_OMIT), (0, UTIME_NOW)) == "ok"
    assert at.tries(os.utime, fd, ns=(5, 7)) == "ok"
    assert at.gives(lambda: os.fstat(fd).st_mtime_ns) == 7


@GONE
@compared
def test_nameless_file_is_synced_and_sought(at: Place, how: str) -> None:
    fd = _gone(at, how)
    assert at.tries(os.fsync, fd) == "ok"
    assert at.tries(os.fdatasync, fd) == "ok"
    assert at.gives(os.lseek, fd, 0, os.SEEK_END) == 10
    assert at.gives(os.lseek, fd, -4, os.SEEK_CUR) == 6


@GONE
@compared
def test_nameless_file_keeps_its_attributes(at: Place, how: str) -> None:
    fd = _gone(at, how)
    assert at.tries(os.setxattr, fd, "user.k", b"v") == "ok"
    assert at.gives(os.getxattr, fd, "user.k") == b"v"
    assert at.gives(os.listxattr, fd) == ["user.k"]
    assert at.tries(os.removexattr, fd, "user.k") == "ok"


@GONE
@compared
def test_nameless_file_is_mapped(at: Place, how: str) -> None:
    fd = _gone(at, how)
    with mmap.mmap(fd, 10) as mapped:
        mapped[2:4] = b"MM"
        mapped.flush()
    assert at.gives(os.pread, fd, 10, 0) == b"01MM456789"


@GONE
@compared
def test_nameless_file_is_opened_again_by_its_descriptor(at: Place, how: str) -> None:
    fd = _gone(at, how)
    again = at.open(f"/proc/self/fd/{fd}")
    os.write(again, b"again")
    assert at.gives(os.pread, fd, 99, 0) == b"again56789"
    assert at.sees(again)["nlink"] == 0


@GONE
@compared
def test_nameless_file_is_apart_from_the_next_of_its_name(at: Place, how: str) -> None:
    fd = _gone(at, how)
    if how == "unlinked":
        at.file("f", b"another")
    os.write(fd, b"old")
    assert at.gives(contents, "f") == b"another"
    truncate("f", 0)
    assert at.sees(fd)["size"] == 10
    assert os.fstat(fd).st_ino != os.stat("f").st_ino


@compared
def test_many_nameless_files(at: Place) -> None:
    descriptors = []
    for number in range(100):
        at.file("f", str(number).encode())
        descriptors.append(at.open("f"))
        os.unlink("f")
    assert at.gives(os.listdir, ".") == []
    for number, fd in enumerate(descriptors):
        assert at.gives(os.pread, fd, 9, 0) == str(number).encode()


@pytest.mark.parametrize("kind", PLAIN)
@compared
def test_name_is_free_at_once(at: Place, kind: str) -> None:
    if kind == "full folder":
        kind = "folder"
    for _ in range(3):
        make(at, kind, "x")
        os.rename("x", "y")
        at.tries(os.lstat, "x")
        (os.rmdir if kind == "folder" else os.unlink)("y")
        if os.path.lexists("x.target"):
            (os.rmdir if kind == "link to folder" else os.unlink)("x.target")
        assert at.gives(os.listdir, ".") == []


@compared
def test_nameless_file_opened_by_path_only(at: Place) -> None:
    at.file("f", b"abc")
    fd = at.open("f", os.O_PATH)
    os.unlink("f")
    assert at.sees(fd)["nlink"] == 0
    again = at.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
    assert at.gives(os.read, again, 9) == b"abc"


@compared
def test_nameless_file_under_which_its_folder_goes(at: Place) -> None:
    at.folder("d")
    at.file("d/f", b"abc")
    fd = at.open("d/f")
    os.unlink("d/f")
    os.rmdir("d")
    os.write(fd, b"xyz")
    assert at.tries(os.fchmod, fd, 0o600) == "ok"
    assert at.gives(os.pread, fd, 9, 0) == b"xyz"
    at.sees(fd)
    assert at.gives(os.listdir, ".") == []
