"""The disks that paths are on, as the mount table has them now."""

import contextlib
import errno
import logging
import subprocess
import threading
from pathlib import Path

import pytest

from katafs.volumes import disks
from katafs.volumes.disks import Disks
from tests.harness import needs
from tests.harness.other_mounts import memory_disk, own_mount_table
from tests.harness.programs import in_child
from tests.harness.waiting import holds_within, until
from tests.unit.test_no_descriptors import use_up_descriptors


def test_what_is_mounted_on_the_home_of_volumes_takes_them_along(disk: Path) -> None:
    needs.root()
    home = disk / "home"
    (home / "volume").mkdir(parents=True)
    with contextlib.closing(Disks()) as followed:
        apart = followed.other_than(str(home), "/proc")
        before = followed.of(str(home))
        with memory_disk(home):
            until(lambda: followed.of(str(home)) != before, "the mount to be seen")

            assert followed.other_than(str(home), str(home / "volume")) is None
        assert apart is not None


def test_where_no_thread_can_be_had_the_table_is_read_each_time(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs.root()
    home = disk / "home"
    home.mkdir()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with contextlib.closing(Disks()) as followed:
        with monkeypatch.context() as exhausted:
            exhausted.setattr(threading.Thread, "start", refuse)
            before = followed.of(str(home))
            with memory_disk(home):
                assert followed.of(str(home)) != before
        until(lambda: followed.of(str(home)) == before, "the disk to be gone")


def sees_a_mount_that_could_not_be_read(home: str) -> tuple[bool, list[tuple[int, bool]]]:
    """Whether it does, with what level it told of it, and whether with a traceback."""
    own_mount_table()  # else another test's mount would be the next change
    told: list[tuple[int, bool]] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append((record.levelno, bool(record.exc_info)))  # type: ignore[method-assign]
    logging.getLogger("katafs.volumes.disks").addHandler(handler)
    disks._RETRY_S = 0.05  # noqa: SLF001
    read, left = Disks._read, [3]  # noqa: SLF001

    def fail(followed: Disks) -> None:
        if left[0]:
            left[0] -= 1
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        read(followed)

    with contextlib.closing(Disks()) as followed:
        before = followed.of(home)
        Disks._read = fail  # type: ignore[method-assign, assignment]  # noqa: SLF001
        with memory_disk(Path(home)):
            return holds_within(lambda: followed.of(home) != before, 20), told


def test_a_change_that_could_not_be_read_is_not_missed(disk: Path) -> None:
    needs.root()
    (disk / "home").mkdir()

    assert in_child(sees_a_mount_that_could_not_be_read, str(disk / "home")) == (True, [(logging.WARNING, False)])


def sees_a_mount_without_descriptors(home: str) -> bool:
    own_mount_table()
    script = 'read begin; mount -t tmpfs none "$1"; read end; umount "$1"'
    with (
        contextlib.closing(Disks()) as followed,
        subprocess.Popen(["sh", "-c", script, "sh", home], stdin=subprocess.PIPE) as mounter,
    ):
        before = followed.of(home)
        use_up_descriptors()
        assert mounter.stdin is not None
        mounter.stdin.write(b"begin\n")
        mounter.stdin.flush()
        seen = holds_within(lambda: followed.of(home) != before, 20)
        mounter.stdin.write(b"end\n")
        mounter.stdin.close()
        mounter.wait(60)
    return seen


def test_a_change_is_seen_where_no_more_files_can_be_opened(disk: Path) -> None:
    needs.root()
    (disk / "home").mkdir()

    assert in_child(sees_a_mount_without_descriptors, str(disk / "home"))
