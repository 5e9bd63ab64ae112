"""Extended attributes: each namespace, sizes, flags, kinds, and who may."""

import os
import struct
from collections.abc import Callable

import pytest

from tests.posix.compare import compared
from tests.posix.objects import EXISTING, contents, make
from tests.posix.place import NOBODY, SERVER, Place, acting_as
from tests.posix.syscalls import getxattr_into

CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)  # cap_net_bind_service, permitted and effective
SPACES = {
    "user": ("user.key", b"value"),
    "trusted": ("trusted.key", b"value"),
    "security": ("security.key", b"value"),
    "capability": ("security.capability", CAPABILITY),
    "system": ("system.key", b"value"),
    "unknown": ("other.key", b"value"),
    "no space": ("key", b"value"),
    "user alone": ("user.", b"value"),
}


def _look(at: Place, name: str = "f", follow: bool = False) -> list[str]:
    """Record the sorted names, and return them."""
    return at.notes("attributes", sorted(os.listxattr(name, follow_symlinks=follow)))


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("caller", ["root", "owner", "other"])
@compared
def test_each_namespace(at: Place, space: str, caller: str) -> None:
    key, value = SPACES[space]
    at.file("f", owner=SERVER)

    def use() -> None:
        if at.tries(os.setxattr, "f", key, value) == "ok":
            assert at.gives(os.getxattr, "f", key) == value
        else:
            at.tries(os.getxattr, "f", key)
        _look(at)
        at.tries(os.removexattr, "f", key)

    if caller == "root":
        use()
    else:
        with acting_as(SERVER if caller == "owner" else NOBODY):
            use()
    assert _look(at) == []


@compared
def test_trusted_is_hidden_from_users(at: Place) -> None:
    at.file("f", mode=0o666)
    os.setxattr("f", "trusted.key", b"secret")
    os.setxattr("f", "user.key", b"open")
    with acting_as(NOBODY):
        assert _look(at) == ["user.key"]
        assert at.tries(os.getxattr, "f", "trusted.key") == "ENODATA"
        assert at.tries(os.setxattr, "f", "trusted.key", b"x") == "EPERM"
        assert at.tries(os.getxattr, "f", "user.key") == "ok"
    assert _look(at) == ["trusted.key", "user.key"]


@pytest.mark.parametrize("size", [0, 1, 100, 1000, 3000, 4000, 4096, 65536, 65537])
@compared
def test_value_of_every_size(at: Place, size: int) -> None:
    at.file("f")
    value = bytes(number % 251 for number in range(size))
    if at.tries(os.setxattr, "f", "user.key", value) == "ok":
        assert at.gives(os.getxattr, "f", "user.key") == value
    _look(at)
    at.sees("f")


@pytest.mark.parametrize("length", [1, 100, 249, 250, 251, 300])
@compared
def test_name_of_every_length(at: Place, length: int) -> None:
    at.file("f")
    name = "user." + "k" * length
    outcome = at.tries(os.setxattr, "f", name, b"v")
    assert outcome == ("ok" if length <= 250 else "ERANGE")
    at.tries(os.getxattr, "f", name)
    _look(at)


@compared
def test_names_of_any_bytes(at: Place) -> None:
    at.file("f")
    names = [b"user.\xff\xfe", b"user.a b", b"user.\n", "user.ä".encode(), b"user..", b"user./"]
    for name in names:
        os.setxattr("f", name, name)
        assert at.gives(os.getxattr, "f", name) == name
    assert sorted(map(os.fsencode, _look(at))) == sorted(names)


@compared
def test_many_names_in_one_list(at: Place) -> None:
    at.file("f")
    for number in range(60):
        os.setxattr("f", f"user.a-rather-long-key-{number:03}", b"v")
    assert len(_look(at)) == 60
    for number in range(0, 60, 2):
        os.removexattr("f", f"user.a-rather-long-key-{number:03}")
    assert len(_look(at)) == 30


@pytest.mark.parametrize("flags", [0, os.XATTR_CREATE, os.XATTR_REPLACE, os.XATTR_CREATE | os.XATTR_REPLACE, 4, 8])
@pytest.mark.parametrize("there", [True, False])
@compared
def test_flags(at: Place, there: bool, flags: int) -> None:
    at.file("f")
    if there:
        os.setxattr("f", "user.key", b"old")
    outcome = at.tries(os.setxattr, "f", "user.key", b"new", flags)
    if flags == os.XATTR_CREATE and there:
        assert outcome == "EEXIST"
    if flags == os.XATTR_REPLACE and not there:
        assert outcome == "ENODATA"
    at.tries(os.getxattr, "f", "user.key")
    at.notes("values", [os.getxattr("f", name) for name in _look(at)])


@compared
def test_absent_key(at: Place) -> None:
    at.file("f")
    assert at.tries(os.getxattr, "f", "user.key") == "ENODATA"
    assert at.tries(os.removexattr, "f", "user.key") == "ENODATA"
    assert _look(at) == []


@compared
def test_replaced_by_a_shorter_value(at: Place) -> None:
    at.file("f")
    for value in (b"x" * 2000, b"short", b"", b"longer again"):
        os.setxattr("f", "user.key", value)
        assert at.gives(os.getxattr, "f", "user.key") == value


@pytest.mark.parametrize("kind", EXISTING)
@pytest.mark.parametrize("space", ["user", "trusted", "security"])
@pytest.mark.parametrize("follow", [True, False])
@compared
def test_every_kind(at: Place, kind: str, space: str, follow: bool) -> None:
    make(at, kind, "x")
    key, value = SPACES[space]
    at.tries(os.setxattr, "x", key, value, follow_symlinks=follow)
    at.tries(os.getxattr, "x", key, follow_symlinks=follow)
    at.tries(_look, at, "x", follow)
    at.tries(os.removexattr, "x", key, follow_symlinks=follow)


@compared
def test_on_a_link_itself_and_not_its_target(at: Place) -> None:
    at.file("f")
    os.symlink("f", "link")
    os.setxattr("link", "trusted.key", b"of the link", follow_symlinks=False)
    os.setxattr("link", "trusted.key", b"of the file")
    assert at.gives(os.getxattr, "link", "trusted.key", follow_symlinks=False) == b"of the link"
    assert at.gives(os.getxattr, "f", "trusted.key") == b"of the file"


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o622, 0o666, 0o000])
@compared
def test_user_space_follows_the_mode(at: Place, mode: int) -> None:
    at.file("f", mode=mode, owner=SERVER)
    os.setxattr("f", "user.key", b"old")
    with acting_as(NOBODY):
        assert at.tries(os.setxattr, "f", "user.key", b"new") == ("ok" if mode & 2 else "EACCES")
        assert at.tries(os.getxattr, "f", "user.key") == ("ok" if mode & 4 else "EACCES")
        at.tries(os.removexattr, "f", "user.key")
        _look(at)


@compared
def test_user_space_in_a_sticky_folder_is_the_owners(at: Place) -> None:
    at.folder("d", 0o1777, owner=SERVER)
    with acting_as(NOBODY):
        assert at.tries(os.setxattr, "d", "user.key", b"v") == "EPERM"
    with acting_as(SERVER):
        assert at.tries(os.setxattr, "d", "user.key", b"v") == "ok"
    _look(at, "d")


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_PATH])
@compared
def test_by_descriptor(at: Place, flags: int) -> None:
    at.file("f")
    fd = at.open("f", flags)
    outcome = at.tries(os.setxattr, fd, "user.key", b"v")
    assert outcome == ("EBADF" if flags == os.O_PATH else "ok")
    at.tries(os.getxattr, fd, "user.key")
    at.tries(os.listxattr, fd)
    _look(at)


@compared
def test_times(at: Place) -> None:
    at.file("f")
    calls: list[Callable[[], object]] = [
        lambda: os.setxattr("f", "user.key", b"1"),
        lambda: os.setxattr("f", "user.key", b"2"),
        lambda: os.getxattr("f", "user.key"),
        lambda: os.removexattr("f", "user.key"),
    ]
    for call in calls:
        with at.watching("f", "."):
            call()


@compared
def test_shared_by_hard_links_and_kept_by_rename(at: Place) -> None:
    at.file("a")
    os.link("a", "b")
    os.setxattr("a", "user.key", b"v")
    os.rename("a", "c")
    assert at.gives(os.getxattr, "b", "user.key") == b"v"
    assert at.gives(os.getxattr, "c", "user.key") == b"v"


@compared
def test_capability_goes_when_the_file_is_written(at: Place) -> None:
    at.file("f", b"program", 0o777)
    os.setxattr("f", "security.capability", CAPABILITY)
    fd = at.open("f")
    os.write(fd, b"P")
    at.tries(os.getxattr, "f", "security.capability")
    os.setxattr("f", "security.capability", CAPABILITY)
    with acting_as(NOBODY):
        os.write(at.open("f"), b"Q")
    assert at.tries(os.getxattr, "f", "security.capability") == "ENODATA"


@compared
def test_capability_goes_when_the_file_changes_owner(at: Place) -> None:
    at.file("f", b"program", 0o755)
    os.setxattr("f", "security.capability", CAPABILITY)
    os.chown("f", 33, 33)
    assert at.tries(os.getxattr, "f", "security.capability") == "ENODATA"
    assert at.gives(contents, "f") == b"program"


@compared
def test_buffer_that_is_too_small(at: Place) -> None:
    at.file("f")
    os.setxattr("f", "user.key", b"0123456789")
    assert at.gives(getxattr_into, "f", "user.key", 0) == 10
    assert at.tries(getxattr_into, "f", "user.key", 9) == "ERANGE"
    assert at.gives(getxattr_into, "f", "user.key", 10) == 10
