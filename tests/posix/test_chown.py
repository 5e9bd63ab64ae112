"""chown, lchown and fchown: who may give what to whom, and what becomes of setuid bits."""

import os

import pytest

from tests.posix.compare import compared
from tests.posix.objects import EXISTING, make
from tests.posix.place import NOBODY, SERVER, WWW, WWW_IN_SERVER, Place, User, acting_as


@pytest.mark.parametrize("kind", EXISTING)
@pytest.mark.parametrize("follow", [True, False])
@compared
def test_every_kind(at: Place, kind: str, follow: bool) -> None:
    make(at, kind, "x")
    at.tries(os.chown, "x", 19661, 33, follow_symlinks=follow)
    at.sees("x")
    if kind.startswith("link to"):
        at.sees("x.target")


@pytest.mark.parametrize("uid", [-1, 0, 19661, 65534, 2**32 - 2])
@pytest.mark.parametrize("gid", [-1, 0, 33, 2**32 - 2])
@compared
def test_either_id_may_be_left_alone(at: Place, uid: int, gid: int) -> None:
    at.file("f", owner=WWW)
    with at.watching("f"):
        at.tries(os.chown, "f", uid, gid)
    at.sees("f")


@pytest.mark.parametrize("user", [NOBODY, SERVER, WWW, WWW_IN_SERVER], ids=str)
@pytest.mark.parametrize("uid", [-1, 33, 19661])
@pytest.mark.parametrize("gid", [-1, 33, 19661])
@compared
def test_who_may_give_away(at: Place, user: User, uid: int, gid: int) -> None:
    at.file("f", owner=WWW)
    with acting_as(user):
        outcome = at.tries(os.chown, "f", uid, gid)
    at.sees("f")
    if uid == 19661:
        assert outcome == "EPERM"
    if user == WWW_IN_SERVER and uid == 33:
        assert outcome == "ok"


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6755, 0o6711, 0o2745, 0o6644, 0o7777])
@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("caller", ["root", "owner"])
@pytest.mark.parametrize("ids", [(33, 19661), (-1, 19661), (33, -1), (-1, -1)], ids=str)
@compared
def test_suid_bits_after(at: Place, kind: str, mode: int, caller: str, ids: tuple[int, int]) -> None:
    make(at, kind, "x")
    os.chown("x", WWW.uid, WWW.gid)
    os.chmod("x", mode)
    with acting_as(User(0, 0) if caller == "root" else WWW_IN_SERVER):
        at.tries(os.chown, "x", *ids)
    assert at.sees("x")["uid"] == 33


@compared
def test_by_descriptor(at: Place) -> None:
    at.file("f", mode=0o6755)
    fd = at.open("f", os.O_RDONLY)
    at.tries(os.fchown, fd, 19661, 19661)
    assert at.sees(fd)["mode"] == "0o755"
    at.sees("f")


@compared
def test_link_itself_and_not_its_target(at: Place) -> None:
    at.file("f")
    os.symlink("f", "link")
    with at.watching("f", "link"):
        os.lchown("link", 33, 33)
    assert at.sees("link")["uid"] == 33
    assert at.sees("f")["uid"] == 0


@compared
def test_link_without_permission_on_it_needs_none(at: Place) -> None:
    os.symlink("nowhere", "link")
    os.lchown("link", WWW.uid, WWW.gid)
    with acting_as(WWW_IN_SERVER):
        assert at.tries(os.lchown, "link", -1, 19661) == "ok"
    with acting_as(NOBODY):
        assert at.tries(os.lchown, "link", -1, 65534) == "EPERM"
    at.sees("link")


@compared
def test_new_owner_may_and_old_may_not(at: Place) -> None:
    at.file("f", mode=0o600, owner=WWW)
    with acting_as(WWW):
        assert at.opens("f", os.O_RDWR) == "ok"
    os.chown("f", SERVER.uid, SERVER.gid)
    with acting_as(WWW):
        assert at.opens("f", os.O_RDWR) == "EACCES"
    with acting_as(SERVER):
        assert at.opens("f", os.O_RDWR) == "ok"
