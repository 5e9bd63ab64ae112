"""mknod and mkfifo: each kind of node, who may make it, and its mode."""

import os
import stat

import pytest

from tests.posix.compare import compared
from tests.posix.objects import EXISTING, listing, make
from tests.posix.place import NOBODY, Place, acting_as
from tests.posix.syscalls import truncate

NODES = {
    "file": (stat.S_IFREG, 0),
    "no type": (0, 0),
    "fifo": (stat.S_IFIFO, 0),
    "socket": (stat.S_IFSOCK, 0),
    "char device": (stat.S_IFCHR, os.makedev(1, 3)),
    "big char device": (stat.S_IFCHR, 2**32 - 1),  # 4095, 1048575, of which PyPy's os.makedev makes -1
    "block device": (stat.S_IFBLK, os.makedev(7, 200)),
    "whiteout": (stat.S_IFCHR, 0),
    "folder": (stat.S_IFDIR, 0),
    "link": (stat.S_IFLNK, 0),
    "rubbish": (0o150000, 0),
}


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("caller", ["root", "nobody"])
@compared
def test_each_node(at: Place, node: str, caller: str) -> None:
    kind, device = NODES[node]
    at.folder("d", 0o777)
    if caller == "root":
        outcome = at.tries(os.mknod, "d/x", kind | 0o640, device)
        assert outcome == ("ok" if node not in ("folder", "link", "rubbish") else outcome)
    else:
        with acting_as(NOBODY):
            at.tries(os.mknod, "d/x", kind | 0o640, device)
    listing(at)


@pytest.mark.parametrize("kind", EXISTING)
@compared
def test_onto_every_kind(at: Place, kind: str) -> None:
    make(at, kind, "x")
    assert at.tries(os.mkfifo, "x") == "EEXIST"
    assert at.tries(os.mknod, "x", stat.S_IFREG | 0o644) == "EEXIST"
    listing(at)


@pytest.mark.parametrize("mode", [0, 0o400, 0o644, 0o666, 0o777, 0o7777])
@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
@compared
def test_fifo_mode_and_umask(at: Place, mode: int, umask: int) -> None:
    os.umask(umask)
    at.tries(os.mkfifo, "x", mode)
    assert at.sees("x")["mode"] == oct(mode & ~umask)


@pytest.mark.parametrize("mode", [0o555, 0o755])
@compared
def test_folder_must_be_writable(at: Place, mode: int) -> None:
    at.folder("d", mode, owner=NOBODY)
    with acting_as(NOBODY):
        outcome = at.tries(os.mkfifo, "d/x")
    assert outcome == ("ok" if mode == 0o755 else "EACCES")
    listing(at)


@compared
def test_times_of_the_parent(at: Place) -> None:
    at.folder("d")
    with at.watching("d", "."):
        os.mkfifo("d/x")
    with at.watching("d", "."):
        os.unlink("d/x")


@pytest.mark.parametrize("kind", ["fifo", "socket", "char device"])
@compared
def test_nodes_are_renamed_linked_and_removed_as_files_are(at: Place, kind: str) -> None:
    make(at, kind, "x")
    os.link("x", "y")
    os.rename("x", "z")
    listing(at)
    os.unlink("y")
    assert at.sees("z")["nlink"] == 1
    os.unlink("z")
    assert at.gives(os.listdir, ".") == []


@pytest.mark.parametrize("kind", ["fifo", "socket", "char device", "block device"])
@compared
def test_nodes_can_not_be_truncated(at: Place, kind: str) -> None:
    make(at, kind, "x")
    assert at.tries(truncate, "x", 0) == "EINVAL"
    at.sees("x")
