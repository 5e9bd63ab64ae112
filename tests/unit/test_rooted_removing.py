"""Trees below a descriptor removed, while others are at work in them."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from katafs.rooted import files, names
from katafs.rooted.removing import remove_all, remove_tree
from tests.harness import needs, other_mounts


def test_a_tree_is_removed(top: int, disk: Path) -> None:
    (disk / "tree/a/b").mkdir(parents=True)
    (disk / "tree/c/d").mkdir(parents=True)
    (disk / "tree/a/file").touch()
    remove_tree(top, b"tree")
    assert os.listdir(disk) == []


def test_a_deep_tree_is_removed(top: int, disk: Path) -> None:
    (disk / "tree" / "/".join("x" * 300)).mkdir(parents=True)
    remove_tree(top, b"tree")
    assert os.listdir(disk) == []


def test_one_name_can_be_kept_and_is_none_further_down(top: int, disk: Path) -> None:
    (disk / "tree").mkdir()
    for path in ("kept", "tree/kept", "another"):
        (disk / path).touch()
    remove_all(top, but=b"kept")
    assert os.listdir(disk) == ["kept"]


def test_what_a_link_in_a_tree_leads_to_stays(top: int, disk: Path) -> None:
    (disk / "outside").mkdir()
    (disk / "outside/file").touch()
    (disk / "tree").mkdir()
    (disk / "tree/link").symlink_to(disk / "outside")
    remove_tree(top, b"tree")
    assert (disk / "outside/file").exists()


def test_a_directory_that_is_swapped_while_all_is_removed_is_told_of(
    top: int, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (disk / "directory" / "inner").mkdir(parents=True)
    open_directory = files.open_directory

    def swapped(directory: int, name: bytes) -> int:
        (disk / "directory").rename(disk / "moved")
        os.mkfifo(disk / "directory")
        return open_directory(directory, name)

    monkeypatch.setattr(files, "open_directory", swapped)
    with pytest.raises(NotADirectoryError):  # not EBADF, of a descriptor that is closed twice
        remove_all(top)


def test_each_directory_of_a_tree_is_listed_once_while_it_is_removed(
    top: int, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        (disk / f"objects/{number:02x}").mkdir(parents=True)
        (disk / f"objects/{number:02x}/file").touch()
    listed: list[int] = []
    listing = names.listing

    def counted(directory: int) -> list[bytes]:
        listed.append(directory)
        return listing(directory)

    monkeypatch.setattr(names, "listing", counted)
    remove_all(top)
    assert len(listed) == 1 + 1 + 20
    assert os.listdir(disk) == []


def test_what_comes_into_a_directory_while_it_is_removed_stays(
    top: int, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (disk / "tree/inner").mkdir(parents=True)
    (disk / "tree/inner/old").touch()
    remove = names.remove

    def beside(directory: int, name: bytes) -> None:
        remove(directory, name)
        (disk / "tree/inner/new").touch()

    monkeypatch.setattr(names, "remove", beside)
    with pytest.raises(OSError, match=os.strerror(errno.ENOTEMPTY)):
        remove_tree(top, b"tree")
    assert (disk / "tree/inner/new").exists()


def test_what_goes_by_itself_while_a_tree_is_removed_is_no_error(
    top: int, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second", "tree/inner"):
        (disk / "tree" / name).mkdir(parents=True, exist_ok=True)
    remove_directory = names.remove_directory

    def all_at_once(directory: int, name: bytes) -> None:
        for path in (disk / "tree").iterdir():
            shutil.rmtree(path)
        remove_directory(directory, name)

    monkeypatch.setattr(names, "remove_directory", all_at_once)
    remove_all(top)
    assert os.listdir(disk) == []


def test_what_goes_by_itself_keeps_nothing_that_comes_after_it(
    top: int, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two", "three"):
        (disk / name).touch()
    _, second, _ = names.listing(top)
    remove = names.remove

    def with_the_second(directory: int, name: bytes) -> None:
        monkeypatch.undo()
        (disk / os.fsdecode(second)).unlink()
        remove(directory, name)

    monkeypatch.setattr(names, "remove", with_the_second)
    remove_all(top)
    assert os.listdir(disk) == []


def test_an_empty_directory_that_may_not_be_listed_is_removed(top: int, disk: Path) -> None:
    needs.root()
    (disk / "tree/closed").mkdir(parents=True)
    (disk / "tree/closed").chmod(0)
    for path in (disk, disk / "tree", disk / "tree/closed"):
        os.chown(path, 65534, 65534)

    os.seteuid(65534)
    try:
        remove_tree(top, b"tree")
    finally:
        os.seteuid(0)

    assert os.listdir(disk) == []


def test_a_mount_point_in_a_tree_is_busy(top: int, disk: Path) -> None:
    needs.root()
    (disk / "tree/point").mkdir(parents=True)
    with other_mounts.memory_disk(disk / "tree/point"), pytest.raises(OSError, match=os.strerror(errno.EBUSY)):
        remove_tree(top, b"tree")
