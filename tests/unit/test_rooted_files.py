"""Whole files below a descriptor: read within a limit, replaced in one step, and never through a link."""

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from katafs.rooted import files

LIMIT = 100


def test_a_file_is_read_to_its_end(top: int, disk: Path) -> None:
    (disk / "file").write_bytes(b"content")
    assert files.read(top, b"file", LIMIT) == b"content"


def test_a_file_as_large_as_the_limit_is_read(top: int, disk: Path) -> None:
    (disk / "file").write_bytes(b"x" * LIMIT)
    assert len(files.read(top, b"file", LIMIT)) == LIMIT


def test_a_file_larger_than_the_limit_is_not_read(top: int, disk: Path) -> None:
    (disk / "file").write_bytes(b"x" * (LIMIT + 1))
    with pytest.raises(OSError, match="File too large") as caught:
        files.read(top, b"file", LIMIT)
    assert caught.value.errno == errno.EFBIG


def test_a_file_whose_size_is_not_told_is_read_within_the_limit() -> None:
    process = os.open("/proc/self", os.O_PATH | os.O_DIRECTORY)
    with pytest.raises(OSError, match="File too large"):
        files.read(process, b"maps", LIMIT)
    os.close(process)


def test_a_missing_file_is_not_found(top: int) -> None:
    with pytest.raises(FileNotFoundError):
        files.read(top, b"file", LIMIT)


@pytest.mark.parametrize("name", [b"..", b".", b"", b"a/b", b"a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(top: int, name: bytes) -> None:
    with pytest.raises(OSError, match="Invalid argument") as caught:
        files.read(top, name, LIMIT)
    assert caught.value.errno == errno.EINVAL


def test_a_link_is_not_read(top: int, disk: Path) -> None:
    (disk / "link").symlink_to("/etc/hostname")
    with pytest.raises(OSError, match="symbolic links") as caught:
        files.read(top, b"link", LIMIT)
    assert caught.value.errno == errno.ELOOP


def test_a_fifo_is_not_waited_for(top: int, disk: Path) -> None:
    os.mkfifo(disk / "fifo")
    with pytest.raises(OSError, match="No such device") as caught:
        files.read(top, b"fifo", LIMIT)
    assert caught.value.errno == errno.ENXIO


def test_a_directory_is_not_read(top: int, disk: Path) -> None:
    (disk / "directory").mkdir()
    with pytest.raises(OSError, match="No such device"):
        files.read(top, b"directory", LIMIT)


def test_a_link_is_no_directory(top: int, disk: Path) -> None:
    (disk / "link").symlink_to("/")
    assert not files.is_directory(top, b"link")


def test_a_link_is_not_opened_as_a_directory(top: int, disk: Path) -> None:
    (disk / "link").symlink_to("/")
    with pytest.raises(OSError, match=r"symbolic links|Not a directory"):
        files.open_directory(top, b"link")


def test_replacing_makes_a_file(top: int, disk: Path) -> None:
    files.replace(top, b"file", b"content")
    assert (disk / "file").read_bytes() == b"content"


def test_replacing_makes_a_new_file_of_the_content(top: int, disk: Path) -> None:
    (disk / "file").write_bytes(b"before, and longer")
    files.replace(top, b"file", b"after", durable=True)
    assert (disk / "file").read_bytes() == b"after"


def test_whoever_reads_a_file_while_it_is_replaced_has_the_old_one(top: int, disk: Path) -> None:
    (disk / "file").write_bytes(b"before")
    with (disk / "file").open("rb") as reader:
        files.replace(top, b"file", b"after")
        assert reader.read() == b"before"


def test_replacing_leaves_nothing_else(top: int, disk: Path) -> None:
    files.replace(top, b"file", b"content")
    assert os.listdir(disk) == ["file"]


def test_a_replaced_files_mode_stays(top: int, disk: Path) -> None:
    (disk / "file").touch()
    (disk / "file").chmod(0o604)
    files.replace(top, b"file", b"content")
    assert stat.S_IMODE((disk / "file").stat().st_mode) == 0o604


def test_a_replaced_file_gets_the_mode_that_is_asked_for(top: int, disk: Path) -> None:
    files.replace(top, b"file", b"content", mode=0o755)
    assert stat.S_IMODE((disk / "file").stat().st_mode) == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_replaced_files_owner_stays(top: int, disk: Path) -> None:
    (disk / "file").touch()
    os.chown(disk / "file", 19661, 33)
    files.replace(top, b"file", b"content")
    status = (disk / "file").stat()
    assert (status.st_uid, status.st_gid) == (19661, 33)


def test_a_link_is_replaced_and_its_target_stays(top: int, disk: Path) -> None:
    (disk / "target").write_bytes(b"target")
    (disk / "link").symlink_to("target")
    files.replace(top, b"link", b"content")
    assert (disk / "target").read_bytes() == b"target"


def test_a_directory_is_not_replaced(top: int, disk: Path) -> None:
    (disk / "directory").mkdir()
    with pytest.raises(IsADirectoryError):
        files.replace(top, b"directory", b"content")


def test_creating_makes_a_file(top: int, disk: Path) -> None:
    files.create(top, b"file", b"content")
    assert (disk / "file").read_bytes() == b"content"


def test_creating_what_is_there_is_refused_and_leaves_it_alone(top: int, disk: Path) -> None:
    (disk / "file").write_bytes(b"before")
    with pytest.raises(FileExistsError):
        files.create(top, b"file", b"after")
    assert [(path.name, path.read_bytes()) for path in disk.iterdir()] == [("file", b"before")]


def test_what_the_disk_can_not_keep_is_not_created(top: int, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = os.fsync

    def fail(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        synced(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        files.create(top, b"new", b"content")
    assert os.listdir(disk) == []


def test_a_lock_makes_others_wait(top: int) -> None:
    order: list[str] = []

    def second() -> None:
        with files.locked(top):
            order.append("second")

    with files.locked(top):
        other = threading.Thread(target=second)
        other.start()
        order.append("first")
    other.join(60)
    assert order == ["first", "second"]


def test_the_path_of_a_directory_leads_to_it(top: int, disk: Path) -> None:
    assert files.path_of(top) == str(disk)


def test_a_parent_that_can_not_be_looked_at_leaves_nothing_open(top: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.listdir("/proc/self/fd")

    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "the disk is gone")

    with monkeypatch.context() as broken:
        broken.setattr(files, "status_of", failing)
        with pytest.raises(OSError, match="gone"):
            files.parent_of(top)
    assert os.listdir("/proc/self/fd") == before
