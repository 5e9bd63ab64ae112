"""chmod and fchmod: bits, kinds, and who may."""

import mmap
import os

import pytest

from tests.posix.compare import compared
from tests.posix.objects import EXISTING, make
from tests.posix.place import NOBODY, ROOT, SERVER, WWW, WWW_IN_SERVER, Place, User, acting_as


@pytest.mark.parametrize("mode", [0, 0o111, 0o222, 0o444, 0o644, 0o755, 0o777, 0o1777, 0o2755, 0o4755, 0o6711, 0o7777])
@pytest.mark.parametrize("kind", ["file", "folder", "fifo", "char device"])
@compared
def test_every_bit_is_kept(at: Place, kind: str, mode: int) -> None:
    make(at, kind, "x")
    assert at.tries(os.chmod, "x", mode) == "ok"
    assert at.sees("x")["mode"] == oct(mode)


@pytest.mark.parametrize("kind", EXISTING)
@compared
def test_every_kind(at: Place, kind: str) -> None:
    make(at, kind, "x")
    at.tries(os.chmod, "x", 0o751)
    at.sees("x")
    if kind == "link to file":
        assert at.sees("x.target")["mode"] == "0o751"


@pytest.mark.parametrize("user", [NOBODY, WWW, WWW_IN_SERVER], ids=str)
@pytest.mark.parametrize("kind", ["file", "folder"])
@compared
def test_only_the_owner_may(at: Place, kind: str, user: User) -> None:
    make(at, kind, "x")
    os.chown("x", SERVER.uid, SERVER.gid)
    with acting_as(user):
        assert at.tries(os.chmod, "x", 0o700) == "EPERM"
    with acting_as(SERVER):
        assert at.tries(os.chmod, "x", 0o700) == "ok"
    at.sees("x")


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("group", [33, 19661])
@compared
def test_setgid_needs_the_group(at: Place, kind: str, group: int) -> None:
    make(at, kind, "x")
    os.chown("x", NOBODY.uid, group)
    for user in (NOBODY, User(NOBODY.uid, NOBODY.gid, (group,))):
        with acting_as(user):
            assert at.tries(os.chmod, "x", 0o2755) == "ok"
        at.sees("x")
    assert at.sees("x")["mode"] == "0o2755"


@compared
def test_owner_may_set_suid_and_sticky(at: Place) -> None:
    at.file("f", owner=NOBODY)
    at.folder("d", owner=NOBODY)
    with acting_as(NOBODY):
        at.tries(os.chmod, "f", 0o5755)
        at.tries(os.chmod, "d", 0o5755)
    at.sees("f", "d")


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR, os.O_PATH])
@compared
def test_by_descriptor(at: Place, flags: int) -> None:
    at.file("f")
    fd = at.open("f", flags)
    outcome = at.tries(os.fchmod, fd, 0o700)
    assert outcome == ("EBADF" if flags == os.O_PATH else "ok")
    at.sees("f", fd)


@compared
def test_by_descriptor_of_a_folder(at: Place) -> None:
    at.folder("d")
    fd = at.open("d", os.O_RDONLY)
    at.tries(os.fchmod, fd, 0o1770)
    assert at.sees("d")["mode"] == "0o1770"


@compared
def test_same_mode_again_changes_ctime(at: Place) -> None:
    at.file("f", mode=0o640)
    with at.watching("f", "."):
        os.chmod("f", 0o640)


@compared
def test_refused_chmod_changes_nothing(at: Place) -> None:
    at.file("f", mode=0o640)
    with at.watching("f"), acting_as(NOBODY):
        at.tries(os.chmod, "f", 0o777)
    at.sees("f")


@compared
def test_open_descriptor_outlives_its_permission(at: Place) -> None:
    at.file("f", b"abc", 0o600, owner=NOBODY)
    with acting_as(NOBODY):
        fd = at.open("f")
        os.chmod("f", 0)
        assert at.gives(os.pread, fd, 3, 0) == b"abc"
        at.tries(os.pwrite, fd, b"xyz", 0)
        assert at.opens("f", os.O_RDONLY) == "EACCES"


@pytest.mark.parametrize("flag", [0, os.O_APPEND, os.O_DIRECT], ids=["plain", "append", "direct"])
@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6777])
@pytest.mark.parametrize("user", [ROOT, SERVER, NOBODY], ids=str)
@compared
def test_a_write_clears_set_id_bits(at: Place, user: User, mode: int, flag: int) -> None:
    at.file("f", bytes(4096), mode | 0o002, owner=SERVER)
    with mmap.mmap(-1, 4096) as aligned, acting_as(user):
        # PyPy's os.write writes a copy, which may not be aligned.
        at.gives(os.writev, at.open("f", os.O_WRONLY | flag), [aligned])
    at.sees("f")
