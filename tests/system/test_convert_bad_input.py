"""What can't be converted, or looks odd: said in one line, with its exit code, and never touched where it stands."""

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from katafs.converter.spots import Spot
from tests.harness import needs
from tests.harness.crashes import Forked
from tests.harness.ext4_disks import MEMORY, ext4_disk, made_image, mounted_image
from tests.harness.mounts import Mounts
from tests.harness.odd_trees import make_odd_tree
from tests.harness.other_mounts import bound, memory_disk
from tests.harness.programs import NOBODY, Finished, run
from tests.system.far_disks import around, once
from tests.system.old_disks import INNER, KATA, OUTER, convert, look, make_disk, make_kata, words

OTHER = "12ABCDEF01"


@dataclass
class Old:
    """An old disk with one kata, and an empty store on the same file system or on another one."""

    disk: Path
    volumes: Path

    @property
    def kata(self) -> Path:
        return self.disk / OUTER / INNER

    def convert(self, *arguments: str, status: int = 0) -> Finished:
        return convert(self.disk, self.volumes, *arguments, status=status)

    def refused(self, line: str, *arguments: str, status: int = 1) -> None:
        """A conversion that must fail, say this of the kata, and leave it as it was, with no volume made for it."""
        before, made = look(self.kata), os.listdir(self.volumes)
        finished = self.convert(*(arguments or (KATA,)), status=status)
        assert finished.stderr == f"{KATA}: {line}\n", finished
        assert look(self.kata) == before
        assert {*os.listdir(self.volumes)} - {"katafs_root"} == {*made} - {"katafs_root"}


@pytest.fixture
def old(disk: Path) -> Old:
    """Everything in one file system: a move."""
    needs.root()
    make_disk(disk / "katas")
    (disk / "volumes").mkdir()
    return Old(disk / "katas", disk / "volumes")


@pytest.fixture
def far(old: Old) -> Iterator[Old]:
    """The store in another file system: a copy."""
    needs.programs("mkfs.ext4", "losetup")
    with ext4_disk(old.volumes, image_in=MEMORY):
        yield old


def _no_manifest(kata: Path) -> str:
    (kata / "manifest.json").unlink()
    return "no manifest"


def _not_json(kata: Path) -> str:
    (kata / "manifest.json").write_bytes(b'{"id":\xff')
    return "its manifest is not JSON"


def _wrong_id(kata: Path) -> str:
    (kata / "manifest.json").write_text('{"id":"0000000000"}')
    return "its manifest has the id '0000000000'"


def _a_list(kata: Path) -> str:
    (kata / "manifest.json").write_text("[" * 100_000)
    return "its manifest is not JSON"


def _empty_avatar(kata: Path) -> str:
    (kata / "zebra").mkdir()
    return "zebra is empty"


def _fifo_manifest(kata: Path) -> str:
    (kata / "manifest.json").unlink()
    os.mkfifo(kata / "manifest.json")
    return "its manifest can't be read: No such device or address"


ODD = [_no_manifest, _not_json, _wrong_id, _a_list, _empty_avatar, _fifo_manifest]


@pytest.mark.parametrize("how", ["old", "far"])
@pytest.mark.parametrize("make_odd", ODD)
def test_what_looks_odd_is_told_and_converted_as_it_is(
    request: pytest.FixtureRequest, how: str, make_odd: Callable[[Path], str]
) -> None:
    old: Old = request.getfixturevalue(how)
    told = make_odd(old.kata)
    before, top = look(old.kata), look(old.disk)
    dry = old.convert("--dry-run", KATA)
    assert dry.stderr == f"{KATA}: would-convert: {told}\n"
    assert look(old.disk) == top
    assert os.listdir(old.volumes) == []
    assert old.convert(KATA).stderr == ""
    assert look(old.volumes / KATA) == before


@pytest.mark.parametrize("how", ["old", "far"])
def test_all_kinds_of_entries_but_devices_are_converted(request: pytest.FixtureRequest, how: str) -> None:
    old: Old = request.getfixturevalue(how)
    shutil.rmtree(old.kata)
    old.kata.mkdir()
    make_odd_tree(old.kata)
    before = look(old.kata)
    assert old.convert(KATA).stderr == ""
    assert look(old.volumes / KATA) == before
    assert not old.kata.exists()


@pytest.mark.parametrize("how", ["old", "far"])
def test_a_device_node_is_refused(request: pytest.FixtureRequest, how: str) -> None:
    old: Old = request.getfixturevalue(how)
    os.mknod(old.kata / "lion" / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    old.refused("refused: lion/null in it is a device node")


@pytest.mark.parametrize("keep", [(), ("--keep",)])
@pytest.mark.parametrize("moment", ["survey", "copy_to", "difference_from"])
@pytest.mark.parametrize("what", ["a device node", "mounted"])
def test_what_comes_once_it_was_surveyed_is_refused_as_at_first_sight(
    far: Old, disk: Path, what: str, moment: str, keep: tuple[str, ...]
) -> None:
    place = far.kata / "lion" / "null"

    def come() -> None:
        if what == "mounted":
            run(["mount", "-t", "tmpfs", "tmpfs", far.kata / "lion" / "sandbox"])
        else:
            os.mknod(place, stat.S_IFCHR | 0o666, os.makedev(1, 3))

    line = {
        "a device node": "refused: lion/null in it is a device node",
        "mounted": "refused: something is mounted on lion/sandbox in it",
    }
    try:
        command = words(far.disk, far.volumes, KATA, *keep)
        running = Forked(command, disk / "out", prepare=lambda: around(Spot, moment, after=once(come)))
        assert running.ended() == 1
    finally:
        if what == "mounted":
            run(["umount", far.kata / "lion" / "sandbox"])
    assert f"{KATA}: {line[what]}\n" in running.output()
    assert {*os.listdir(far.volumes)} == {"katafs_root"}
    assert far.kata.is_dir()


@pytest.mark.parametrize("how", ["old", "far"])
def test_something_mounted_inside_is_refused(request: pytest.FixtureRequest, how: str) -> None:
    old: Old = request.getfixturevalue(how)
    (old.kata / "lion" / "mnt").mkdir()
    with memory_disk(old.kata / "lion" / "mnt"):
        old.refused("refused: something is mounted on lion/mnt in it")


@contextmanager
def _with_unreadable_file(directory: Path) -> Iterator[tuple[Path, Path]]:
    """An old disk that has a file with a broken block, and that file."""
    needs.programs("debugfs", "mkfs.ext4", "losetup")
    image, file = directory / "bad.img", f"{OUTER}/{INNER}/lion/broken"
    made_image(image, 16, "-b", "1024", "-O", "^64bit,^extents,^metadata_csum")
    with mounted_image(image, directory / "katas") as katas:
        make_disk(katas, KATA, OTHER)
        (katas / file).write_bytes(bytes(range(256)) * 256)
    # The block that says where its blocks are says that they are where no disk is.
    found = re.search(r"\(IND\):(\d+)", run(["debugfs", "-R", f"stat /{file}", image]).stdout)
    assert found is not None
    with image.open("r+b") as blocks:
        blocks.seek(int(found[1]) * 1024)
        blocks.write(b"\xff\xff\xff\x0f" * 256)
    with mounted_image(image, directory / "katas") as katas:
        yield katas, katas / file


def test_a_file_that_cannot_be_read_fails_and_the_others_go_on(disk: Path) -> None:
    needs.root()
    (disk / "volumes").mkdir()
    with _with_unreadable_file(disk) as (katas, broken):
        before = {path: path.lstat() for path in broken.parents[1].rglob("*")}
        finished = convert(katas, disk / "volumes", KATA, OTHER, status=1)
        assert finished.stderr == f"{KATA}: failed: lion/broken: Input/output error\n"
        assert sorted(os.listdir(disk / "volumes")) == [OTHER, "katafs_root"]
        after = {path: path.lstat() for path in broken.parents[1].rglob("*")}
        assert {path: (status.st_ino, status.st_ctime_ns) for path, status in before.items()} == {
            path: (status.st_ino, status.st_ctime_ns) for path, status in after.items()
        }


def test_a_disk_that_fills_up_stops_the_run(old: Old) -> None:
    needs.programs("mkfs.ext4", "losetup")
    second = make_kata(old.disk, OTHER)
    (old.kata / "large").write_bytes(b"x" * (20 << 20))
    befores = look(old.kata), look(second)
    with ext4_disk(old.volumes, 8):
        finished = old.convert("--jobs", "1", KATA, OTHER, status=1)
        assert finished.stderr.startswith(f"{KATA}: failed: large: No space left on device\n")
        assert finished.stdout.startswith("failed 1; ")
        assert os.listdir(old.volumes) == ["katafs_root"]
    assert (look(old.kata), look(second)) == befores


def _other_volume(old: Old) -> Path:
    volume = old.volumes / KATA
    volume.mkdir()
    (volume / "somebody's").write_text("else\n")
    return volume


@pytest.mark.parametrize("how", ["old", "far"])
def test_a_volume_that_holds_something_else_is_never_merged(request: pytest.FixtureRequest, how: str) -> None:
    old: Old = request.getfixturevalue(how)
    volume = _other_volume(old)
    before = look(volume)
    old.refused(f"refused: volume {KATA} holds something else already, '.': uid 33 != 0")
    assert look(volume) == before


@pytest.mark.parametrize("how", ["old", "far"])
def test_an_empty_volume_is_used(request: pytest.FixtureRequest, how: str) -> None:
    old: Old = request.getfixturevalue(how)
    before = look(old.kata)
    (old.volumes / KATA).mkdir(0o700)
    old.convert(KATA)
    assert look(old.volumes / KATA) == before


def test_an_avatars_own_volume_that_would_hide_its_sandbox_is_refused(old: Old) -> None:
    lions = old.volumes / f"{KATA}_lion"
    lions.mkdir()
    (lions / "file").write_text("of a container\n")
    volume = look(lions)
    old.refused(f"refused: volume {KATA}_lion would hide lion/sandbox in it")
    assert look(lions) == volume


def test_another_avatars_own_volume_is_left_alone(old: Old) -> None:
    pandas = old.volumes / f"{KATA}_panda"
    pandas.mkdir()
    (old.kata / "panda" / "sandbox").mkdir(parents=True)
    (pandas / "file").write_text("of a container\n")
    before, volume = look(old.kata), look(pandas)
    old.convert(KATA)
    assert (look(old.volumes / KATA), look(pandas)) == (before, volume)


@pytest.mark.parametrize("how", ["old", "far"])
def test_a_volume_that_is_a_mount_point_is_refused(request: pytest.FixtureRequest, how: str) -> None:
    old: Old = request.getfixturevalue(how)
    (old.volumes / KATA).mkdir()
    with memory_disk(old.volumes / KATA):
        old.refused(f"refused: volume {KATA} is a mount point, which nothing can replace")


def test_not_being_root_is_said(old: Old, disk: Path) -> None:
    before = look(old.disk)
    disk.chmod(0o777)
    old.disk.chmod(0o777)
    finished = convert(old.disk, old.volumes, status=1, user=NOBODY)
    assert finished.stderr == "katafs: convert must be run as root: it keeps the owners of all files\n"
    old.disk.chmod(0o711)
    assert look(old.disk) == before


def test_the_mount_itself_is_no_source(old: Old, mount: Mounts) -> None:
    path = mount("--layout", "split").path
    make_kata(path)
    for source in (path, path / OUTER):
        finished = convert(source, old.volumes, "--all", status=1)
        assert finished.stderr == f"katafs: {source} is in a tree that katafs has mounted, not on an old disk\n"
    assert (path / OUTER / INNER / "manifest.json").exists()


def test_volumes_inside_the_source_are_refused(old: Old, disk: Path) -> None:
    inside, elsewhere = old.disk / "volumes", disk / "elsewhere"
    for path in (inside, elsewhere):
        path.mkdir()
    before = look(old.disk)
    with bound(old.disk, elsewhere):
        for source, volumes in ((old.disk, inside), (elsewhere, inside), (old.disk, elsewhere / "volumes"),
                                (old.disk, old.disk), (old.disk, elsewhere)):  # fmt: skip
            finished = convert(source, volumes, "--all", status=1)
            told = f"the volumes are in {volumes}, which is in {source}: what is in there can't be moved"
            assert finished.stderr == f"katafs: {told}\n"
    (old.disk / ".katafs-lock").unlink()
    after = look(old.disk)
    assert {**(before or {}), b".": ()} == {**(after or {}), b".": ()}


def test_the_same_disk_mounted_twice_is_converted_once(old: Old, disk: Path) -> None:
    before = look(old.kata)
    (disk / "twice").mkdir()
    with bound(old.disk, disk / "twice"):
        convert(disk / "twice", old.volumes, KATA)
        assert "already 1" in old.convert(KATA).stdout
    assert look(old.volumes / KATA) == before


def test_a_source_that_is_not_there_or_no_directory(old: Old, disk: Path) -> None:
    (disk / "file").write_text("")
    missing = convert(disk / "missing", old.volumes, status=3)
    assert missing.stderr == f"katafs: the old disk {disk}/missing can't be opened: No such file or directory\n"
    file = convert(disk / "file", old.volumes, status=3)
    assert file.stderr == f"katafs: the old disk {disk}/file can't be opened: Not a directory\n"


def test_a_kata_that_is_nowhere_is_missing(old: Old) -> None:
    finished = old.convert("FFFFFFFFFF", KATA, status=1)
    assert finished.stderr == "FFFFFFFFFF: missing: is neither on the disk nor in a volume\n"
    assert not old.kata.exists()
