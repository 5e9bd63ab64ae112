"""An export that can't be made, or is broken off, leaves what was there and nothing that looks whole."""

import errno
import os
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from katafs import errors
from katafs.converter import exports, staging
from katafs.converter.exports import Form, export
from katafs.kata_id import KataId, VolumeName
from katafs.rooted import files, names
from katafs.rooted.copying import copy_tree
from katafs.storers.plain import PlainStorer
from katafs.volumes.directories import DirectoryStore
from katafs.volumes.memory import MemoryStore
from tests.contract.storers.cells import KATA as ID
from tests.contract.storers.cells import MANIFEST, NOW, START
from tests.harness import needs
from tests.harness.kills import killed
from tests.harness.mounted import PROGRAM
from tests.harness.odd_trees import described
from tests.harness.programs import NOBODY, run

KATA = KataId(ID)
FORMS = pytest.mark.parametrize("form", Form)


@pytest.fixture
def store(disk: Path) -> Iterator[DirectoryStore]:
    """A store with one kata, whose lion is kept without git."""
    (disk / "volumes").mkdir()  # an operator's own, where others may come
    with closing(DirectoryStore(disk / "volumes")) as made:
        storer = PlainStorer(made)
        storer.create_kata(MANIFEST)
        storer.start_avatar(KATA, ["lion"])
        storer.avatar_ran_tests(KATA, "lion", START, NOW, "said", "red")
        yield made


@pytest.fixture
def kata(disk: Path, store: DirectoryStore) -> Path:
    """The kata's volume."""
    assert store.exists(VolumeName(KATA))
    return disk / "volumes" / KATA


@pytest.fixture
def out(disk: Path) -> Path:
    """Where exports go: empty at first."""
    (disk / "out").mkdir()
    return disk / "out"


@pytest.fixture
def small(out: Path) -> Iterator[Path]:
    """The same on a disk of 8 MB."""
    needs.root()
    run(["mount", "-t", "tmpfs", "-o", "size=8m", "katafs-test", str(out)])
    yield out
    subprocess.run(["umount", "--lazy", str(out)], check=True, timeout=60)


def refused(store: DirectoryStore, out: Path, form: Form, match: str) -> None:
    """The export must be refused in one line, and leave all that is there as it is."""
    before = described(out, atimes=False) if out.is_dir() else {}
    with pytest.raises(errors.KatafsError, match=match) as caught:
        export(store, KATA, out, form)
    assert len(str(caught.value).splitlines()) == 1
    now = described(out, atimes=False) if out.is_dir() else {}
    assert {path: (*facts[:3], *facts[5:]) for path, facts in now.items()} == {
        path: (*facts[:3], *facts[5:]) for path, facts in before.items()
    }


def _directory(path: Path) -> None:
    path.mkdir(parents=True)


def _full_directory(path: Path) -> None:
    path.mkdir(parents=True)
    (path / "manifest.json").write_text("old")


def _file(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("old")


def _link(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.symlink_to("/nonexistent")


@FORMS
@pytest.mark.parametrize("make", [_directory, _full_directory, _file, _link])
def test_what_is_there_already_stays(
    store: DirectoryStore, out: Path, form: Form, make: Callable[[Path], None]
) -> None:
    make(out / (f"{KATA}.tgz" if form is Form.TGZ else f"{KATA[:2]}/{KATA[2:]}"))
    refused(store, out, form, "exists already")


@FORMS
def test_a_full_disk_is_one_line_and_leaves_nothing(store: DirectoryStore, kata: Path, small: Path, form: Form) -> None:
    (kata / "lion/sandbox/large").write_bytes(os.urandom(12 << 20))
    refused(store, small, form, "No space left")


@FORMS
def test_a_copy_that_is_not_equal_is_no_export(
    store: DirectoryStore, out: Path, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(source: int, target: int) -> None:
        copy_tree(source, target)
        there = os.stat("manifest.json", dir_fd=target)
        with open("manifest.json", "r+b", opener=partial(os.open, dir_fd=target)) as file:
            file.write(b"?")
        os.utime("manifest.json", ns=(there.st_atime_ns, there.st_mtime_ns), dir_fd=target)

    monkeypatch.setattr(staging, "copy_tree", spoil)
    refused(store, out, form, "'manifest.json'")


def test_a_disk_that_git_fills_is_one_line_and_leaves_nothing(store: DirectoryStore, small: Path) -> None:
    storer = PlainStorer(store)
    for number in range(6):  # the copy has room for them, and the history beside it has not
        storer.avatar_ran_tests(KATA, "lion", {"a": os.urandom(450_000).hex()}, NOW, str(number), "red")
    refused(store, small, Form.HOST_DISK, "git fast-import: no space left")


@FORMS
@pytest.mark.parametrize("kind", ["c", "b"])
def test_a_device_is_refused(store: DirectoryStore, kata: Path, out: Path, form: Form, kind: str) -> None:
    needs.root()
    run(["mknod", kata / "lion/sandbox/de\nvice", kind, "1", "3"])
    refused(store, out, form, "device")


def test_an_archive_of_a_socket_is_refused(store: DirectoryStore, kata: Path, out: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(kata / "socket"))
    refused(store, out, Form.TGZ, "socket")


def test_half_a_surrogate_pair_is_refused_in_a_history_of_git_s(store: DirectoryStore, kata: Path, out: Path) -> None:
    """JSON can have it, and UTF-8 can't."""
    tag = kata / "lion/tags/1.json"
    tag.write_text(tag.read_text().replace('"said"', '"\\ud800"'))
    refused(store, out, Form.HOST_DISK, r"the content of 'output' can't be written as UTF-8")


@FORMS
def test_an_unknown_kata_is_refused(store: DirectoryStore, out: Path, form: Form) -> None:
    with pytest.raises(errors.KataNotFound):
        export(store, KataId("FEDCBA9876"), out, form)
    assert list(out.iterdir()) == []


@FORMS
def test_a_place_below_nothing_is_refused(store: DirectoryStore, disk: Path, form: Form) -> None:
    refused(store, disk / "no/where", form, "No such file")


@FORMS
def test_a_file_is_no_place(store: DirectoryStore, disk: Path, form: Form) -> None:
    (disk / "file").write_text("x")
    refused(store, disk / "file", form, "Not a directory")


def test_an_outer_directory_that_is_a_link_is_refused(store: DirectoryStore, disk: Path, out: Path) -> None:
    (disk / "elsewhere").mkdir()
    (out / KATA[:2]).symlink_to(disk / "elsewhere")
    refused(store, out, Form.HOST_DISK, "can't be exported")
    assert list((disk / "elsewhere").iterdir()) == []


@FORMS
def test_a_directory_for_a_missing_one_is_made(store: DirectoryStore, disk: Path, form: Form) -> None:
    assert export(store, KATA, disk / "new", form).exists()


def _stray(lion: Path) -> None:
    (lion / "tags/notes.txt").write_text("mine")


def _broken_tag(lion: Path) -> None:
    (lion / "tags/1.json").write_text("{")


def _linked_tag(lion: Path) -> None:
    (lion / "tags/1.json").unlink()
    (lion / "tags/1.json").symlink_to("0.json")


def _git_is_a_file(lion: Path) -> None:
    (lion / ".git").write_text("gitdir: /etc")


def _git_has_no_tags(lion: Path) -> None:
    run(["git", "init", "--quiet", lion])


@pytest.mark.parametrize("damage", [_stray, _broken_tag, _linked_tag, _git_is_a_file, _git_has_no_tags])
def test_tags_that_would_be_lost_are_a_reason_to_refuse(
    store: DirectoryStore, kata: Path, out: Path, damage: Callable[[Path], None]
) -> None:
    damage(kata / "lion")
    refused(store, out, Form.HOST_DISK, "avatar lion of kata 123456789A")


def test_two_sandboxes_are_refused(store: DirectoryStore, out: Path) -> None:
    store.create(VolumeName(f"{KATA}_lion"))
    refused(store, out, Form.HOST_DISK, "two sandboxes")


@FORMS
def test_a_kill_at_any_moment_leaves_nothing_that_looks_whole(form: Form) -> None:
    needs.programs("git")
    with closing(MemoryStore()) as store, closing(MemoryStore()) as target:
        storer = PlainStorer(store)
        storer.create_kata({"id": KATA, "visible_files": {"a": "b"}})
        storer.start_avatar(KATA, ["lion"])
        out = target.path / "out"
        wanted = _names_in(export(store, KATA, target.path / "good", form))
        calls, step, was_killed = 0, 13, True
        while was_killed:
            calls += step
            was_killed = killed(lambda: export(store, KATA, out, form), calls)
            path = out / (f"{KATA}.tgz" if form is Form.TGZ else f"{KATA[:2]}/{KATA[2:]}")
            assert was_killed or path.exists()
            if path.exists():
                assert _names_in(path) == wanted, f"killed at call {calls}"
            shutil.rmtree(out, ignore_errors=True)
        assert calls > 10 * step


def _names_in(path: Path) -> set[str]:
    """What an export holds, but for git's objects: it packs them as it likes."""
    if path.is_dir():
        names = [str(inner.relative_to(path)) for inner in path.rglob("*")]
    else:
        with tarfile.open(path) as archive:
            names = archive.getnames()
    return {name for name in names if "/objects/" not in name}


@pytest.mark.parametrize("failing", [KATA[:2], KATA[2:]])
def test_what_can_not_have_its_name_leaves_no_outer_directory(
    store: DirectoryStore, out: Path, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename(old: int, old_name: bytes, new: int, new_name: bytes, flags: int) -> None:
        if new_name == failing.encode():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        renamed(old, old_name, new, new_name, flags)

    renamed = names.rename
    monkeypatch.setattr(names, "rename", rename)
    refused(store, out, Form.TAGS, "Input/output error")
    assert os.listdir(out) == []


@pytest.mark.parametrize("has_outer", [False, True])
@FORMS
def test_what_the_disk_can_not_keep_the_name_of_is_not_there(
    store: DirectoryStore, out: Path, form: Form, has_outer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if has_outer:
        (out / KATA[:2]).mkdir()
    place = out / KATA[:2] if has_outer and form is not Form.TGZ else out
    synced = files.sync_directory

    def fail(directory: int) -> None:
        if os.path.samestat(os.fstat(directory), place.stat()):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        synced(directory)

    monkeypatch.setattr(files, "sync_directory", fail)
    refused(store, out, form, "Input/output error")
    assert [path.name for path in out.rglob("*")] == ([KATA[:2]] if has_outer else [])


@pytest.mark.parametrize("has_it", [False, True])
def test_an_outer_directory_that_another_export_makes_meanwhile_is_gone_on_in(
    store: DirectoryStore, out: Path, has_it: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename(old: int, old_name: bytes, new: int, new_name: bytes, flags: int) -> None:
        if new_name == KATA[:2].encode() and not (out / KATA[:2]).exists():
            (out / KATA[:2] / (KATA[2:] if has_it else "AAAAAAAA")).mkdir(parents=True)
        renamed(old, old_name, new, new_name, flags)

    renamed = names.rename
    monkeypatch.setattr(names, "rename", rename)
    if has_it:
        with pytest.raises(errors.ExportFailed, match="exists already"):
            export(store, KATA, out, Form.TAGS)
        assert os.listdir(out / KATA[:2] / KATA[2:]) == []
    else:
        assert (export(store, KATA, out, Form.TAGS) / "manifest.json").exists()
        assert {*os.listdir(out / KATA[:2])} == {"AAAAAAAA", KATA[2:]}
    assert os.listdir(out) == [KATA[:2]]


def test_nobody_else_can_enter_an_export_in_the_making(store: DirectoryStore, kata: Path, out: Path) -> None:
    os.chmod(kata, 0o777)
    assert killed(lambda: export(store, KATA, out, Form.HOST_DISK), 500)
    (left,) = out.iterdir()
    assert left.name.startswith(".katafs-")
    assert (left / "kata").is_dir()
    assert left.stat().st_mode & 0o7777 == 0o700


@pytest.mark.parametrize("when", ["at once", "later"])
@FORMS
def test_who_owns_the_outer_directory_gets_nothing_and_loses_nothing(
    store: DirectoryStore, out: Path, form: Form, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another directory in the place of the one that was made: there git would run where its owner can put hooks."""
    needs.root()
    outer = out if form is Form.TGZ else out / KATA[:2]
    (outer / "mine/precious").mkdir(parents=True)
    for path in (outer, outer / "mine"):
        os.chown(path, NOBODY.uid, NOBODY.gid)

    def swapping(make: Callable[..., object], name: Callable[..., bytes]) -> Callable[..., object]:
        def swapped(*arguments: object) -> object:
            made = make(*arguments)
            if name(*arguments).startswith(b".katafs-"):
                (staged,) = outer.glob(".katafs-*")
                staged.rename(outer / "theirs")
                (outer / "mine").rename(staged)
            return made

        return swapped

    if when == "at once":
        monkeypatch.setattr(names, "make_directory", swapping(names.make_directory, lambda _, name, __: name))
        with pytest.raises(errors.ExportFailed, match=os.strerror(errno.ESTALE)):
            export(store, KATA, out, form)
    else:
        monkeypatch.setattr(exports, "gather", swapping(staging.gather, lambda *_: b".katafs-"))
        export(store, KATA, out, form)
    (staged,) = outer.glob(".katafs-*")
    assert os.listdir(staged) == ["precious"]
    assert list((outer / "theirs").iterdir()) == []


@pytest.fixture
def nobodys(kata: Path, out: Path) -> Path:
    """The kata and the place, of an ordinary user who may not write to the lion's tags, as where a mount shows them."""
    needs.root()
    (kata / "lion" / "tags").chmod(0o555)
    for path in (out, kata, *kata.rglob("*")):
        os.chown(path, NOBODY.uid, NOBODY.gid)
    return kata


def test_an_ordinary_user_exports_what_they_may_not_write_to(nobodys: Path, out: Path) -> None:
    command = [*PROGRAM, "export", "--all", "--to", str(out), "--volumes", f"dir:{nobodys.parent}"]
    run(command, user=NOBODY, env={"HOME": "/nonexistent"})
    assert (out / ID[:2] / ID[2:] / "lion" / ".git").is_dir()


def test_nothing_is_left_of_it_where_that_fails(nobodys: Path, out: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(nobodys / "socket"))
    os.chown(nobodys / "socket", NOBODY.uid, NOBODY.gid)
    command = [*PROGRAM, "export", "--all", "--to", str(out), "--volumes", f"dir:{nobodys.parent}", "--format", "tgz"]
    assert "socket" in run(command, status=1, user=NOBODY, env={"HOME": "/nonexistent"}).stderr
    assert list(out.iterdir()) == []
