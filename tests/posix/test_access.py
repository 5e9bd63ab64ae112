"""Permissions: who may read, write, search and run what, by owner, group, supplementary group and other."""

import os

import pytest

from tests.posix.compare import compared
from tests.posix.objects import contents
from tests.posix.place import NOBODY, ROOT, SERVER, WWW, WWW_IN_SERVER, Place, User, acting_as
from tests.posix.processes import child
from tests.posix.syscalls import truncate

USERS = {
    "root": ROOT,
    "owner": SERVER,
    "group": User(1000, 19661),
    "supplementary group": WWW_IN_SERVER,
    "many groups": User(1000, 1000, (*range(2000, 2060), 19661)),
    "other": NOBODY,
    "owner outside the group": User(19661, 1000),
}
MODES = [0o000, 0o100, 0o200, 0o400, 0o010, 0o020, 0o040, 0o001, 0o002, 0o004, 0o750, 0o707, 0o077, 0o770, 0o755, 0o222]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("user", USERS)
@compared
def test_file(at: Place, user: str, mode: int) -> None:
    at.file("f", b"abc", mode, owner=SERVER)
    with acting_as(USERS[user]):
        at.notes("access", [os.access("f", how) for how in (os.R_OK, os.W_OK, os.X_OK, os.R_OK | os.W_OK)])
        readable = at.opens("f", os.O_RDONLY)
        at.opens("f", os.O_WRONLY)
        at.tries(truncate, "f", 2)
    if user == "owner":
        assert readable == ("ok" if mode & 0o400 else "EACCES")
    if user in ("group", "supplementary group", "many groups"):
        assert readable == ("ok" if mode & 0o040 else "EACCES")
    if user == "other":
        assert readable == ("ok" if mode & 0o004 else "EACCES")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("user", USERS)
@compared
def test_folder(at: Place, user: str, mode: int) -> None:
    at.folder("d", mode, owner=SERVER)
    at.file("d/f", b"abc", 0o666)
    at.folder("d/e", 0o777)
    with acting_as(USERS[user]):
        at.notes("access", [os.access("d", how) for how in (os.R_OK, os.W_OK, os.X_OK)])
        at.tries(os.listdir, "d")
        at.tries(os.stat, "d/f")
        at.opens("d/f", os.O_RDWR)
        at.opens("d/e/new", os.O_CREAT | os.O_RDWR)
        at.opens("d/new", os.O_CREAT | os.O_RDWR)
        at.tries(os.mkdir, "d/newdir")
        at.tries(os.rename, "d/f", "d/g")
        at.tries(os.unlink, "d/g")
        at.tries(os.rmdir, "d/newdir")
        at.tries(os.chdir, "d")
    os.chdir(at.directory)
    at.notes("names", sorted(os.listdir("d")))


@compared
def test_search_is_asked_of_every_folder_on_the_way(at: Place) -> None:
    at.folder("a", 0o755)
    at.folder("a/b", 0o700)
    at.folder("a/b/c", 0o777)
    at.file("a/b/c/f", b"abc", 0o666)
    with acting_as(NOBODY):
        assert at.tries(contents, "a/b/c/f") == "EACCES"
    os.chmod("a/b", 0o711)
    with acting_as(NOBODY):
        assert at.tries(contents, "a/b/c/f") == "ok"
        assert at.tries(os.listdir, "a/b") == "EACCES"
    os.chmod("a/b", 0o700)
    with acting_as(NOBODY):
        assert at.tries(contents, "a/b/c/f") == "EACCES"


@compared
def test_descriptor_of_a_folder_outlives_the_way_to_it(at: Place) -> None:
    at.folder("a", 0o755)
    at.folder("a/b", 0o777)
    at.file("a/b/f", b"abc", 0o644)
    with acting_as(NOBODY):
        fd = at.open("a/b", os.O_RDONLY)
    os.chmod("a", 0)
    with acting_as(NOBODY):
        assert at.opens("f", os.O_RDONLY, dir_fd=fd) == "ok"
        assert at.opens("new", os.O_CREAT | os.O_RDWR, dir_fd=fd) == "ok"
        assert at.opens("a/b/f", os.O_RDONLY) == "EACCES"


@compared
def test_access_is_of_the_real_and_open_of_the_effective_user(at: Place) -> None:
    at.file("f", b"abc", 0o600, owner=SERVER)
    os.seteuid(SERVER.uid)
    try:
        assert at.notes("access as root by real id", os.access("f", os.R_OK)) is True
        assert at.notes("and by effective id", os.access("f", os.X_OK, effective_ids=True)) is False
    finally:
        os.seteuid(0)


@compared
def test_process_that_can_not_be_root_again(at: Place) -> None:
    at.folder("d", 0o770, owner=SERVER)
    at.file("secret", b"abc", 0o600)

    def stranger() -> None:
        os.setgroups([19661])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        with open("d/made", "wb") as made:
            made.write(b"by nobody")
        assert not os.access("secret", os.R_OK)
        try:
            contents("secret")
        except PermissionError:
            return
        raise AssertionError("nobody reads root's file")

    with child(stranger):
        pass
    assert at.sees("d/made")["uid"] == 65534


@pytest.mark.parametrize("user", [SERVER, WWW, NOBODY], ids=str)
@compared
def test_sticky_folder(at: Place, user: User) -> None:
    at.folder("d", 0o1777, owner=SERVER)
    at.file("d/of-www", mode=0o666, owner=WWW)
    at.file("d/of-nobody", mode=0o666, owner=NOBODY)
    at.folder("d/dir-of-www", 0o777, owner=WWW)
    with acting_as(user):
        mine = at.opens("d/mine", os.O_CREAT | os.O_RDWR)
        at.tries(os.rename, "d/of-www", "d/of-nobody")
        at.tries(os.rename, "d/mine", "d/of-www")
        at.tries(os.unlink, "d/of-nobody")
        at.tries(os.rmdir, "d/dir-of-www")
        at.opens("d/of-www", os.O_CREAT | os.O_RDWR)
    assert mine == "ok"
    for name in at.notes("names", sorted(os.listdir("d"))):
        at.sees(f"d/{name}")
