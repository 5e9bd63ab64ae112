"""The first change to a kata on the old disk, whatever it is: the kata is converted, and the change happens to it."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.descriptors import remembered
from tests.harness.old_disk import FILES
from tests.mounted.served import LegacyServed

HIKER = Path("lion/sandbox/hiker.c")
OLD = FILES[str(HIKER)]


def opened(path: Path, flags: int, content: bytes = b"") -> None:
    descriptor = os.open(path, flags, 0o640)
    try:
        if content:
            os.write(descriptor, content)
    finally:
        os.close(descriptor)


Change = tuple[Callable[[Path], object], Callable[[Path], object], object]
"""What is done to a kata, what is then asked of it, and the answer."""

CHANGES: dict[str, Change] = {
    "open for writing": (
        lambda kata: opened(kata / HIKER, os.O_WRONLY, b"new"),
        lambda kata: (kata / HIKER).read_text(),
        "new" + OLD[3:],
    ),
    "open for reading and writing, only": (
        lambda kata: opened(kata / HIKER, os.O_RDWR),
        lambda kata: (kata / HIKER).read_text(),
        OLD,
    ),
    "open with O_TRUNC": (
        lambda kata: opened(kata / HIKER, os.O_WRONLY | os.O_TRUNC),
        lambda kata: (kata / HIKER).read_text(),
        "",
    ),
    "open with O_APPEND": (
        lambda kata: opened(kata / HIKER, os.O_WRONLY | os.O_APPEND, b"more"),
        lambda kata: (kata / HIKER).read_text(),
        OLD + "more",
    ),
    "truncate": (lambda kata: os.truncate(kata / HIKER, 3), lambda kata: (kata / HIKER).read_text(), OLD[:3]),
    "create": (
        lambda kata: opened(kata / "new", os.O_CREAT | os.O_EXCL | os.O_WRONLY, b"x"),
        lambda kata: (kata / "new").read_text(),
        "x",
    ),
    "unlink": (lambda kata: os.unlink(kata / HIKER), lambda kata: (kata / HIKER).exists(), False),
    "mkdir": (lambda kata: os.mkdir(kata / "bear"), lambda kata: sorted(os.listdir(kata))[0], "bear"),
    "mknod": (lambda kata: os.mkfifo(kata / "fifo"), lambda kata: (kata / "fifo").is_fifo(), True),
    "rename": (
        lambda kata: os.rename(kata / HIKER, kata / "lion/moved"),
        lambda kata: ((kata / HIKER).exists(), (kata / "lion/moved").read_text()),
        (False, OLD),
    ),
    "rename over": (
        lambda kata: os.rename(kata / "lion/increments.json", kata / HIKER),
        lambda kata: (kata / HIKER).read_text(),
        "[]",
    ),
    "rename of a directory": (
        lambda kata: os.rename(kata / "lion", kata / "wolf"),
        lambda kata: (os.listdir(kata / "wolf/sandbox") != [], (kata / "lion").exists()),
        (True, False),
    ),
    "chmod": (lambda kata: os.chmod(kata / HIKER, 0o600), lambda kata: (kata / HIKER).stat().st_mode & 0o7777, 0o600),
    "chmod of the kata": (lambda kata: os.chmod(kata, 0o700), lambda kata: kata.stat().st_mode & 0o7777, 0o700),
    "chown": (
        lambda kata: os.chown(kata / HIKER, 33, 34),
        lambda kata: ((kata / HIKER).stat().st_uid, (kata / HIKER).stat().st_gid),
        (33, 34),
    ),
    "utimens": (
        lambda kata: os.utime(kata / HIKER, ns=(1_000_000_001, 2_000_000_002)),
        lambda kata: (kata / HIKER).stat().st_mtime_ns,
        2_000_000_002,
    ),
    "setxattr": (
        lambda kata: os.setxattr(kata / HIKER, "user.key", b"value"),
        lambda kata: os.getxattr(kata / HIKER, "user.key"),
        b"value",
    ),
    "link": (
        lambda kata: os.link(kata / HIKER, kata / "second"),
        lambda kata: ((kata / "second").read_text(), (kata / HIKER).stat().st_nlink),
        (OLD, 2),
    ),
    "symlink": (lambda kata: os.symlink("to", kata / "s"), lambda kata: os.readlink(kata / "s"), "to"),
}


def trodden(kata: Path) -> None:
    """Let the kernel know everything in the kata, as an earlier walk leaves it."""
    for path in kata.rglob("*"):
        path.lstat()


@pytest.mark.parametrize("known", [True, False], ids=["known", "not known"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_first_change_converts_a_kata_and_then_happens(legacy: LegacyServed, change: Change, known: bool) -> None:
    do, ask, answer = change
    kata = legacy.old()
    if known:
        trodden(legacy.path(kata))

    do(legacy.path(kata))

    assert ask(legacy.path(kata)) == answer
    assert ask(legacy.volume(kata)) == answer
    assert legacy.is_converted(kata)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_first_change_leaves_all_else_as_it_was(legacy: LegacyServed, change: Change) -> None:
    kata = legacy.old({**FILES, "bystander/deep/file": "content", "bystander/file": "other"})
    trodden(legacy.path(kata))
    bystander = legacy.path(kata) / "bystander"
    with remembered(bystander.rglob("*")):
        before = {path: path.lstat() for path in bystander.rglob("*")}

        change[0](legacy.path(kata))

        after = {path: path.lstat() for path in bystander.rglob("*")}
    assert {path: kept(status) for path, status in after.items()} == {
        path: kept(status) for path, status in before.items()
    }
    assert (bystander / "deep/file").read_text() == "content"


def kept(status: os.stat_result) -> tuple[int, ...]:
    size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size  # a directory's is the file system's own affair
    return status.st_ino, status.st_mode, status.st_uid, size, status.st_mtime_ns
