"""symlink and readlink: a link is shown as it was written, and is never the mount's to follow."""

import os

import pytest

from tests.posix.compare import compared
from tests.posix.objects import EXISTING, contents, listing, make
from tests.posix.place import NOBODY, SERVER, Place, acting_as

TARGETS = {
    "relative": b"some/where",
    "absolute": b"/etc/hostname",
    "dots": b"../../..",
    "odd": b"//a//./b/",
    "any bytes": bytes(range(1, 256)),
    "not UTF-8": b"\xff\xfe\x80",
    "newline": b"a\nb",
    "59 bytes": b"x" * 59,
    "60 bytes": b"x" * 60,
    "61 bytes": b"x" * 61,
    "4094 bytes": b"x" * 4094,
    "4095 bytes": b"x" * 4095,
    "4096 bytes": b"x" * 4096,
    "nothing": b"",
}


@pytest.mark.parametrize("target", TARGETS)
@compared
def test_target_is_kept_byte_for_byte(at: Place, target: str) -> None:
    wanted = TARGETS[target]
    outcome = at.tries(os.symlink, wanted, b"link")
    if outcome == "ok":
        assert at.gives(os.readlink, b"link") == wanted
        assert at.sees("link")["size"] == len(wanted)
    assert outcome == {"nothing": "ENOENT", "4096 bytes": "ENAMETOOLONG"}.get(target, "ok")


@pytest.mark.parametrize("kind", EXISTING)
@compared
def test_onto_every_kind(at: Place, kind: str) -> None:
    make(at, kind, "x")
    assert at.tries(os.symlink, "t", "x") == "EEXIST"
    assert at.tries(os.symlink, "t", "x/") != "ok"
    listing(at)


@pytest.mark.parametrize("kind", EXISTING)
@compared
def test_readlink_of_every_kind(at: Place, kind: str) -> None:
    make(at, kind, "x")
    assert at.tries(os.readlink, "x") == ("ok" if "link" in kind else "EINVAL")


@pytest.mark.parametrize("umask", [0, 0o077, 0o777])
@compared
def test_mode_is_all_whatever_the_umask(at: Place, umask: int) -> None:
    os.umask(umask)
    os.symlink("t", "link")
    assert at.sees("link")["mode"] == "0o777"


@compared
def test_belongs_to_the_caller(at: Place) -> None:
    at.folder("d", 0o777)
    at.folder("closed")
    with acting_as(SERVER):
        os.symlink("t", "d/link")
        assert at.tries(os.symlink, "t", "closed/link") == "EACCES"
    assert at.sees("d/link")["uid"] == SERVER.uid


@compared
def test_times(at: Place) -> None:
    at.folder("d")
    with at.watching("d", "."):
        os.symlink("t", "d/link")
    with at.watching("d"):
        os.rename("d/link", "d/other")
    with at.watching("d", "."):
        os.unlink("d/other")


@compared
def test_chain_as_long_as_the_kernel_follows(at: Place) -> None:
    at.file("link0", b"the end")
    for number in range(1, 42):
        os.symlink(f"link{number - 1}", f"link{number}")
    assert at.gives(contents, "link40") == b"the end"
    assert at.tries(contents, "link41") == "ELOOP"


@compared
def test_relative_links_are_followed_inside(at: Place) -> None:
    at.folder("d")
    at.folder("d/e")
    at.file("f", b"content")
    os.symlink("../../f", "d/e/link")
    os.symlink("d/e", "short")
    assert at.gives(contents, "d/e/link") == b"content"
    assert at.gives(contents, "short/link") == b"content"
    assert at.gives(contents, "short/../e/link") == b"content"


@compared
def test_absolute_links_are_followed_by_the_caller(at: Place) -> None:
    os.symlink("/etc/passwd", "link")
    assert at.gives(contents, "link") == contents("/etc/passwd")
    at.sees("link", follow=True)


@compared
def test_link_that_is_replaced_is_read_anew(at: Place) -> None:
    for number in range(20):
        os.symlink(f"target{number}", "new")
        os.rename("new", "link")
        assert at.gives(os.readlink, "link") == f"target{number}"


@pytest.mark.parametrize("call", ["unlink", "rename", "lchown", "rmdir", "lstat", "listxattr"])
@compared
def test_calls_that_mean_the_link(at: Place, call: str) -> None:
    at.folder("d")
    os.symlink("d", "link")
    calls = {
        "unlink": lambda: os.unlink("link"),
        "rename": lambda: os.rename("link", "other"),
        "lchown": lambda: os.lchown("link", 33, 33),
        "rmdir": lambda: os.rmdir("link"),
        "lstat": lambda: os.lstat("link"),
        "listxattr": lambda: os.listxattr("link", follow_symlinks=False),
    }
    at.tries(calls[call])
    listing(at)


@compared
def test_link_of_somebody_else_in_a_sticky_folder(at: Place) -> None:
    at.folder("d", 0o1777)
    at.file("f", b"content", 0o644)
    os.symlink("../f", "d/link")
    os.lchown("d/link", SERVER.uid, SERVER.gid)
    with acting_as(NOBODY):
        at.tries(contents, "d/link")
        at.tries(os.unlink, "d/link")
    listing(at)
