"""NAME_MAX and PATH_MAX at their edges, names of any bytes, and deep trees."""

import os
import stat
from collections.abc import Callable

import pytest

from tests.posix.compare import compared
from tests.posix.objects import contents
from tests.posix.place import Place
from tests.posix.syscalls import all_dents

NAMES = {
    "255 bytes": b"n" * 255,
    "254 bytes": b"n" * 254,
    "255 bytes of 0xff": b"\xff" * 255,
    "not UTF-8": b"\xc3\x28\x80",
    "half a character": "ä".encode()[:1],
    "127 characters of two bytes": ("ä" * 127).encode(),
    "newline": b"a\nb",
    "one newline": b"\n",
    "space": b" ",
    "three dots": b"...",
    "backslash": b"\\",
    "percent": b"%s%n",
    "quotes": b"\"'`$()",
    "option": b"-rf",
    "controls": bytes(range(1, 32)),
    "every byte": bytes(number for number in range(1, 256) if number != ord("/")),
    "fuse_hidden": b".fuse_hidden0000000100000001",
    "composed": "é".encode(),
    "decomposed": "é".encode(),
    "surrogate": b"\xed\xa0\x80",
}
CREATORS: dict[str, Callable[[bytes], object]] = {
    "open": lambda name: os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644)),
    "mkdir": os.mkdir,
    "mkfifo": os.mkfifo,
    "mknod": lambda name: os.mknod(name, stat.S_IFREG | 0o644),
    "symlink": lambda name: os.symlink(b"target", name),
    "link": lambda name: os.link(b"real", name),
    "rename": lambda name: os.rename(b"real", name),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("creator", CREATORS)
@compared
def test_name_is_kept_byte_for_byte(at: Place, creator: str, name: str) -> None:
    at.file(b"real", b"content")
    wanted = NAMES[name]
    assert at.tries(CREATORS[creator], wanted) == "ok"
    at.sees(wanted)
    assert wanted in at.gives(lambda: sorted(os.listdir(b".")))
    os.rename(wanted, b"moved")
    os.rename(b"moved", wanted)
    (os.rmdir if creator == "mkdir" else os.unlink)(wanted)
    assert at.tries(os.lstat, wanted) == "ENOENT"


@pytest.mark.parametrize("length", [256, 257, 512, 1023, 1024, 1025, 4000])
@pytest.mark.parametrize("creator", CREATORS)
@compared
def test_name_that_is_too_long(at: Place, creator: str, length: int) -> None:
    at.file(b"real", b"content")
    assert at.tries(CREATORS[creator], b"n" * length) == "ENAMETOOLONG"
    assert at.tries(os.lstat, b"n" * length) == "ENAMETOOLONG"
    assert at.tries(os.unlink, b"n" * length) == "ENAMETOOLONG"
    assert at.gives(lambda: os.listdir(b".")) == [b"real"]


@compared
def test_names_that_differ_in_their_last_byte(at: Place) -> None:
    for last in range(200, 256):
        at.file(b"n" * 254 + bytes([last]), bytes([last]))
    names = at.gives(lambda: sorted(os.listdir(b".")))
    assert len(names) == 56
    assert [contents(name) for name in names] == [name[-1:] for name in names]


@compared
def test_upper_and_lower_case_are_two(at: Place) -> None:
    at.file("name", b"lower")
    at.file("NAME", b"upper")
    assert (at.gives(contents, "name"), at.gives(contents, "NAME")) == (b"lower", b"upper")


def _deep(at: Place, part: str, depth: int) -> None:
    """Go down into that many new folders."""
    for _ in range(depth):
        os.mkdir(part)
        os.chdir(part)


@pytest.mark.parametrize("length", [4094, 4095, 4096, 4097])
@compared
def test_path_of_every_length(at: Place, length: int) -> None:
    part = "p" * 200
    _deep(at, part, 20)
    os.chdir(at.directory)
    path = f"{part}/" * 20
    path += "f" * (length - len(path))
    expected = "ok" if length <= 4095 else "ENAMETOOLONG"
    assert at.opens(path, os.O_CREAT | os.O_RDWR) == expected
    assert at.tries(os.stat, path) == expected
    assert at.tries(os.chmod, path, 0o600) == expected
    assert at.tries(os.link, path, "second") == expected
    assert at.tries(os.rename, path, "first") == expected
    assert at.tries(os.symlink, path, "link") == expected
    assert at.tries(os.mkdir, path) == expected
    os.rename(part, "short")


@compared
def test_tree_deeper_than_any_path(at: Place) -> None:
    part = "d" * 100
    _deep(at, part, 60)
    at.file("bottom", b"of the tree", 0o640)
    assert at.gives(contents, "bottom") == b"of the tree"
    at.sees("bottom", ".")
    assert at.tries(os.rename, "bottom", "renamed") == "ok"
    assert at.tries(os.link, "renamed", "linked") == "ok"
    for _ in range(60):
        os.chdir("..")
    assert at.gives(lambda: os.listdir(".")) == [part]
    os.chdir("/".join([part] * 30))
    os.chdir("/".join([part] * 30))
    assert at.gives(lambda: sorted(os.listdir("."))) == ["linked", "renamed"]
    os.chdir(at.directory)
    # Also lets the daemon's descriptors be named in /proc again, which whoever looks for leaks reads.
    assert at.tries(os.rename, "/".join([part] * 30), "half") == "ok"
    assert at.gives(lambda: sorted(os.listdir("half/" + "/".join([part] * 30)))) == ["linked", "renamed"]


@compared
def test_thousand_folders_deep(at: Place) -> None:
    _deep(at, "d", 1000)
    at.file("f", b"x")
    os.chdir(at.directory)
    path = "d/" * 1000 + "f"
    at.sees(path)
    assert at.gives(contents, path) == b"x"
    for _ in range(999):
        os.chdir("d")
        assert os.listdir(".") == ["d"]
    assert at.gives(os.listdir, "d") == ["f"]


@compared
def test_long_and_short_names_are_listed_whole(at: Place) -> None:
    names = sorted({b"n" * length + b"%d" % length for length in range(1, 250, 7)})
    for name in names:
        at.file(name)
    fd = at.open(".", os.O_RDONLY)
    assert sorted(entry.name for entry in all_dents(fd, 600) if entry.name not in (b".", b"..")) == names
    at.notes("names", names)


@pytest.mark.parametrize("slashes", ["d//f", "./d/./f", "d/../d/f", "d///..//d/f", "./././d/f"])
@compared
def test_roundabout_paths(at: Place, slashes: str) -> None:
    at.folder("d")
    assert at.opens(slashes, os.O_CREAT | os.O_RDWR) == "ok"
    assert at.sees(slashes)["nlink"] == 1
    assert os.stat(slashes).st_ino == os.stat("d/f").st_ino
