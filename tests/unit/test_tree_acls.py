"""The tree without a mount: no `system.` attribute is asked for or changed, by which NFS and others have their ACLs;
with `noxattr` none at all.

Linux checks nothing for these before it asks the daemon, which is root: on a file system that has them anybody could
change those of files that they may not even read."""

import errno
import os
from collections.abc import Callable

import pytest

from katafs.rooted import inodes
from tests.harness.refusals import refused
from tests.unit.conftest import Trees
from tests.unit.kernel import Kernel, Somebody

NOBODY = Somebody(65534, 65534)
NAMES = [b"system.nfs4_acl", b"system.cifs_acl", b"system.posix_acl_access", b"system.anything"]
ASKED: dict[str, Callable[[Kernel, int, bytes], object]] = {
    "getxattr": lambda tree, number, name: tree.tree.inodes.getxattr(number, name, NOBODY),
    "setxattr": lambda tree, number, name: tree.tree.inodes.setxattr(number, name, b"x", 0, NOBODY),
    "removexattr": lambda tree, number, name: tree.tree.inodes.removexattr(number, name, NOBODY),
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The names that a file system which has them all is asked for."""
    names: list[bytes] = []

    def note(_: int, name: bytes, *__: object, **___: object) -> bytes:
        names.append(name)
        return b"x"

    for call in ("get_xattr", "set_xattr", "remove_xattr"):
        monkeypatch.setattr(inodes, call, note)
    monkeypatch.setattr(os, "listxattr", lambda _: ["user.mine", *map(os.fsdecode, NAMES)])
    return names


@pytest.mark.parametrize("call", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("name", NAMES)
def test_acls_of_any_kind_are_not_the_daemons_to_change(
    tree_of: Trees, asked: list[bytes], call: Callable[[Kernel, int, bytes], object], name: bytes
) -> None:
    tree = tree_of()
    number = tree.write(b"f", b"", mode=0o600).number

    with refused(errno.ENOTSUP):
        call(tree, number, name)
    assert asked == []


@pytest.mark.usefixtures("asked")
def test_nor_are_they_listed(tree_of: Trees) -> None:
    tree = tree_of()

    assert tree.tree.inodes.listxattr(tree.write(b"f", b"").number, NOBODY) == [b"user.mine"]


@pytest.mark.parametrize("call", ASKED.values(), ids=ASKED)
def test_where_there_are_to_be_none_none_is_asked_for_or_changed(
    tree_of: Trees, asked: list[bytes], call: Callable[[Kernel, int, bytes], object]
) -> None:
    tree = tree_of(xattrs=False)
    number = tree.write(b"f", b"").number

    with refused(errno.ENOTSUP):
        call(tree, number, b"user.mine")
    with refused(errno.ENOTSUP):
        tree.tree.inodes.listxattr(number, NOBODY)
    assert asked == []
