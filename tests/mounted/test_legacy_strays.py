"""What else lies on an old disk, at the top and in outer directories: shown, read, and converted when it is changed."""

import errno
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.descriptors import remembered
from tests.harness.programs import run
from tests.harness.refusals import refused
from tests.mounted.served import LegacyServed, fresh_id

PLACES = ["top", "outer"]


def make_strays(folder: Path, tag: str) -> None:
    """One of each kind."""
    (folder / f"file-{tag}").write_text("content")
    (folder / f"tree-{tag}" / "deep").mkdir(parents=True)
    (folder / f"tree-{tag}" / "deep" / "leaf").write_text("leaf")
    (folder / f"dangling-{tag}").symlink_to("/nowhere/at/all")
    os.mkfifo(folder / f"fifo-{tag}", 0o640)


class Strays:
    """Strays of a test's own, at the top of an old disk or in an outer directory."""

    def __init__(self, legacy: LegacyServed, place: str) -> None:
        tag = fresh_id()
        self.outer = "" if place == "top" else tag[:2]
        self.on_disk = legacy.disk.path / self.outer
        self.on_disk.mkdir(exist_ok=True)
        self.shown = legacy.top / self.outer
        self.behind = legacy.root_volume / self.outer
        self.tag = tag
        make_strays(self.on_disk, tag)
        (self.on_disk / f"file-{tag}").chmod(0o640)

    def name(self, kind: str) -> str:
        """The stray of this kind."""
        return f"{kind}-{self.tag}"

    def names(self) -> set[str]:
        """What the mount lists of them."""
        return {name for name in os.listdir(self.shown) if name.endswith(self.tag)}

    def is_converted(self, kind: str) -> bool:
        """Whether it is in the root volume and nowhere else."""
        return os.path.lexists(self.behind / self.name(kind)) and not os.path.lexists(self.on_disk / self.name(kind))


KINDS = ["dangling", "fifo", "file", "tree"]


@pytest.fixture(params=PLACES)
def strays(legacy: LegacyServed, request: pytest.FixtureRequest) -> Strays:
    """Four strays."""
    return Strays(legacy, request.param)


def test_strays_are_shown_and_read_where_they_are(strays: Strays) -> None:
    assert strays.names() == {strays.name(kind) for kind in KINDS}
    assert (strays.shown / strays.name("file")).read_text() == "content"
    assert (strays.shown / strays.name("tree") / "deep" / "leaf").read_text() == "leaf"
    assert os.readlink(strays.shown / strays.name("dangling")) == "/nowhere/at/all"
    fifo = (strays.shown / strays.name("fifo")).stat()
    assert (stat.S_ISFIFO(fifo.st_mode), stat.S_IMODE(fifo.st_mode)) == (True, 0o640)
    for kind in KINDS:
        assert not strays.is_converted(kind)
        shown, kept = (os.lstat(folder / strays.name(kind)) for folder in (strays.shown, strays.on_disk))
        assert (shown.st_mtime_ns, shown.st_uid, shown.st_size) == (kept.st_mtime_ns, kept.st_uid, kept.st_size)


def test_a_listing_says_of_strays_what_stat_says(strays: Strays) -> None:
    listed = {entry.name: entry.inode() for entry in os.scandir(strays.shown) if entry.name.endswith(strays.tag)}
    assert listed == {name: os.lstat(strays.shown / name).st_ino for name in listed}
    assert len(set(listed.values())) == len(KINDS)


Change = tuple[str, Callable[[Path], object], Callable[[Path], object], object]

CHANGES: dict[str, Change] = {
    "write": ("file", lambda path: path.write_text("new"), lambda path: path.read_text(), "new"),
    "truncate": ("file", lambda path: os.truncate(path, 2), lambda path: path.read_text(), "co"),
    "chmod": ("file", lambda path: path.chmod(0o600), lambda path: path.stat().st_mode & 0o777, 0o600),
    "utimens": ("fifo", lambda path: os.utime(path, ns=(1, 2)), lambda path: path.stat().st_mtime_ns, 2),
    "chown": (
        "dangling",
        lambda path: os.chown(path, 33, 34, follow_symlinks=False),
        lambda path: path.lstat().st_gid,
        34,
    ),
    "create in it": ("tree", lambda path: (path / "new").touch(), lambda path: sorted(os.listdir(path))[1], "new"),
    "write in it": (
        "tree",
        lambda path: (path / "deep/leaf").write_text("new"),
        lambda path: (path / "deep/leaf").read_text(),
        "new",
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_stray_that_is_changed_is_in_the_root_volume_then(strays: Strays, change: Change) -> None:
    kind, do, ask, answer = change
    path = strays.shown / strays.name(kind)
    with remembered([path]):
        number = path.lstat().st_ino

        do(path)

        assert ask(path) == answer
        assert ask(strays.behind / strays.name(kind)) == answer
        assert path.lstat().st_ino == number
    assert strays.is_converted(kind)
    assert strays.names() == {strays.name(each) for each in KINDS}
    assert not any(strays.is_converted(other) for other in KINDS if other != kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stray_is_removed(strays: Strays, kind: str) -> None:
    run(["rm", "-rf", strays.shown / strays.name(kind)])

    assert strays.names() == {strays.name(other) for other in KINDS if other != kind}
    assert not os.path.lexists(strays.on_disk / strays.name(kind))
    assert not os.path.lexists(strays.behind / strays.name(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_stray_is_renamed(strays: Strays, kind: str) -> None:
    with remembered([strays.shown / strays.name(kind)]):
        before = os.lstat(strays.shown / strays.name(kind))
        os.rename(strays.shown / strays.name(kind), strays.shown / f"renamed-{strays.tag}")

        after = os.lstat(strays.shown / f"renamed-{strays.tag}")
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (before.st_ino, before.st_mode, before.st_mtime_ns)
    assert strays.names() == {f"renamed-{strays.tag}", *(strays.name(other) for other in KINDS if other != kind)}


def test_a_stray_is_renamed_over_another(strays: Strays) -> None:
    (strays.on_disk / f"second-{strays.tag}").write_text("second")
    os.rename(strays.shown / f"second-{strays.tag}", strays.shown / strays.name("file"))

    assert (strays.shown / strays.name("file")).read_text() == "second"
    assert strays.names() == {strays.name(kind) for kind in KINDS}


def test_a_stray_is_given_another_name(strays: Strays) -> None:
    os.link(strays.shown / strays.name("file"), strays.shown / f"linked-{strays.tag}")

    assert (strays.shown / f"linked-{strays.tag}").samefile(strays.shown / strays.name("file"))
    assert (strays.shown / strays.name("file")).stat().st_nlink == 2


def test_a_new_entry_beside_strays_is_in_the_root_volume(strays: Strays) -> None:
    (strays.shown / f"new-{strays.tag}").write_text("new")
    (strays.shown / f"dir-{strays.tag}").mkdir()

    assert (strays.behind / f"new-{strays.tag}").read_text() == "new"
    assert strays.names() == {strays.name(kind) for kind in [*KINDS, "new", "dir"]}
    assert not any(strays.is_converted(kind) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_made_where_a_stray_is(strays: Strays, kind: str) -> None:
    path = strays.shown / strays.name(kind)
    with refused(errno.EEXIST):
        path.mkdir()
    with refused(errno.EEXIST):
        os.symlink("to", path)
    with refused(errno.EEXIST):
        os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)

    assert not strays.is_converted(kind)


def test_of_eight_that_append_to_a_stray_none_is_lost(strays: Strays) -> None:
    path = strays.shown / strays.name("file")
    script = f"read go; echo line >> {path}"
    waiting_end, starting_end = os.pipe()
    writers = [subprocess.Popen(["sh", "-c", script], stdin=waiting_end, stderr=subprocess.PIPE) for _ in range(8)]
    os.close(waiting_end)
    os.close(starting_end)

    assert [(writer.communicate(timeout=60)[1], writer.returncode) for writer in writers] == [(b"", 0)] * 8
    assert path.read_text() == "content" + "line\n" * 8
    assert strays.is_converted("file")


def test_a_stray_whose_name_begins_like_katafs_own_is_still_one(legacy: LegacyServed) -> None:
    (legacy.disk.path / ".katafs").write_text("a person's")

    assert (legacy.top / ".katafs").read_text() == "a person's"
    assert ".katafs-lock" not in os.listdir(legacy.top)
