"""Which mount points will do, and what is said of those that won't: exit code 4 and one line."""

import os
import re
import sys
import threading
import time
from pathlib import Path

import pytest

from katafs.errors import MountPointUnusable
from katafs.mount import mount_point
from katafs.mount.mount_point import OwnMount
from katafs.rooted.mounts import Mount
from tests.harness.mounted import Mounted
from tests.harness.mounts import Mounts
from tests.harness.older_kernel import TOO_OLD


def _refusal(mounted: Mounted) -> str:
    """The one line of error of a daemon that ended with 4."""
    mounted.ended(status=4)
    (line,) = [line for line in mounted.log().splitlines() if not line.startswith("katafs: INFO:")]
    return line


@pytest.fixture
def filled(disk: Path) -> Path:
    """A directory with a file in it."""
    path = disk / "filled"
    path.mkdir()
    (path / "precious").write_text("mine")
    return path


def test_one_that_does_not_exist_is_refused(mount: Mounts, disk: Path) -> None:
    path = disk / "nowhere"

    assert _refusal(mount(at=path, ready=False)) == f"katafs: {path}: No such file or directory"
    assert not path.exists()


def test_a_file_is_refused(mount: Mounts, disk: Path) -> None:
    path = disk / "file"
    path.write_text("mine")

    assert _refusal(mount(at=path, ready=False)) == f"katafs: {path}: is not a directory"
    assert path.read_text() == "mine"


def test_one_that_is_not_empty_is_refused(mount: Mounts, filled: Path) -> None:
    line = _refusal(mount(at=filled, ready=False))

    assert line.startswith(f"katafs: {filled}: is not empty")
    assert (filled / "precious").read_text() == "mine"


def test_one_that_is_not_empty_can_be_asked_for(mount: Mounts, filled: Path) -> None:
    mounted = mount("-o", "nonempty", at=filled)
    shown = os.listdir(filled)
    mounted.stop()

    assert shown == []
    assert (filled / "precious").read_text() == "mine"


@pytest.mark.parametrize("place", [".", "below"])
def test_one_that_would_cover_what_is_shown_there_is_refused(mount: Mounts, disk: Path, place: str) -> None:
    """The daemon would wait for itself."""
    path = disk / "katas"
    (path / place).mkdir(parents=True)

    refusal = _refusal(mount("-o", "nonempty", at=path, volumes=f"dir:{path / place}", ready=False))

    assert refusal == f"katafs: {path}: would cover {path / place}, which is to be shown there"


@pytest.mark.parametrize("way", ["katas/../volumes", "link", "relative", "chain/.", "above/../volumes"])
def test_one_that_would_cover_the_way_to_what_is_shown_there_is_refused(disk: Path, way: str) -> None:
    """Such a daemon could not even be killed: it waits for itself in the kernel."""
    for name in ("katas/in", "volumes"):
        (disk / name).mkdir(parents=True)
    for link, target in {
        "katas/out": "../volumes", "link": f"{disk}/katas/out", "relative": "katas/in/../out", "chain": "link",
        "above": "katas",
    }.items():  # fmt: skip
        (disk / link).symlink_to(target)

    with pytest.raises(MountPointUnusable, match=rf"{re.escape(way)}, which is to be shown there"):
        mount_point.prepare(str(disk / "katas"), [f"{disk}/{way}"], nonempty=True)


def test_one_that_would_cover_the_old_disk_is_refused(mount: Mounts, disk: Path) -> None:
    old = disk / "katas" / "old"
    old.mkdir(parents=True)

    line = _refusal(mount("-o", "nonempty", "--legacy", str(old), at=disk / "katas", ready=False))

    assert line == f"katafs: {disk}/katas: would cover {old}, which is to be shown there"


def test_one_among_the_volumes_will_do(mount: Mounts, disk: Path) -> None:
    (disk / "volumes" / "mnt").mkdir(parents=True)
    mounted = mount(at=disk / "volumes" / "mnt")
    (mounted.path / "123456789A").mkdir()

    assert os.listdir(mounted.path) == ["123456789A"]


def test_one_that_is_mounted_already_is_refused(mount: Mounts) -> None:
    first = mount()
    (first.path / "file").write_text("still served")

    line = _refusal(mount(at=first.path, ready=False))

    assert line == f"katafs: {first.path}: katafs is mounted there already"
    assert (first.path / "file").read_text() == "still served"


def test_a_relative_path_will_do(mount: Mounts, disk: Path) -> None:
    (disk / "here").mkdir()

    mounted = mount(at=Path("here"))

    assert mounted.path == disk / "here"
    assert os.listdir(mounted.path) == []


def test_a_symlink_to_a_directory_will_do(mount: Mounts, disk: Path) -> None:
    (disk / "there").mkdir()
    (disk / "link").symlink_to("there")

    mounted = mount(at=disk / "link")

    assert mounted.path == disk / "there"
    assert os.listdir(disk / "link") == []


def test_a_name_with_blanks_and_backslashes_will_do(mount: Mounts, disk: Path) -> None:
    path = disk / "a b\\c\té"
    path.mkdir()

    mount(at=path).stop()

    assert os.listdir(path) == []


@pytest.mark.parametrize(
    "path", ["there", "link", "absolute", "chain", "link/../back", "back/there/./link", "loop", "none/x", "link//"]
)
def test_a_path_is_resolved_as_realpath_does(disk: Path, path: str) -> None:
    (disk / "there").mkdir()
    for link, target in {
        "link": "there", "absolute": f"{disk}/link/", "chain": "./there/../absolute", "back": f"../{disk.name}",
        "there/link": "../link", "loop": "loop",
    }.items():  # fmt: skip
        (disk / link).symlink_to(target)

    assert mount_point.resolved(f"{disk}/{path}") == os.path.realpath(disk / path)


_WITHOUT_DESCRIPTORS = """
from unittest import mock
from katafs.cli.main import katafs
from katafs.mount import session
mock.patch.object(session, "OwnMount", side_effect=OSError(24, "Too many open files")).start()
katafs()
"""


def test_a_start_that_fails_once_it_is_mounted_leaves_it_as_it_was(mount: Mounts, disk: Path) -> None:
    path = disk / "katas"
    path.mkdir()
    mounted = mount(at=path, program=(sys.executable, "-c", _WITHOUT_DESCRIPTORS), ready=False)
    mounted.ended(status=1)

    assert "Too many open files" in mounted.log()
    assert os.listdir(path) == []
    assert not path.is_mount()


def test_on_a_kernel_that_is_too_old_it_ends_and_leaves_no_mount(mount: Mounts, disk: Path) -> None:
    """Each request to what would be left there is refused."""
    mounted = mount(program=TOO_OLD, ready=False)
    mounted.ended(status=1)

    (line,) = [line for line in mounted.log().splitlines() if not line.startswith("katafs: INFO:")]
    assert re.fullmatch(r"katafs: the kernel speaks FUSE 7\.\d+, and 7\.99 .* is the oldest that will do", line)
    assert not os.path.ismount(mounted.path)


def test_the_table_of_mounts_is_read_by_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has one position: two get pieces of lines while mounts come and go."""
    own, reading, faults = OwnMount("/proc"), threading.Lock(), list[str]()

    def read(_: int) -> list[Mount]:
        if not reading.acquire(blocking=False):
            faults.append("another was at it")
            return []
        time.sleep(0.01)
        reading.release()
        return []

    monkeypatch.setattr(mount_point, "mounts_in", read)
    threads = [threading.Thread(target=own.is_there) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
