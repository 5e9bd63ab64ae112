"""Operations on an inode that an O_PATH descriptor holds."""

import errno
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from katafs.rooted import inodes
from tests.harness import needs
from tests.harness.refusals import refused

Held = Callable[[Path], int]


@pytest.fixture
def held() -> Iterator[Held]:
    """Opens a path as `rooted` does, O_PATH and without following a link."""
    descriptors: list[int] = []

    def hold(path: Path) -> int:
        descriptors.append(os.open(path, os.O_PATH | os.O_NOFOLLOW))
        return descriptors[-1]

    yield hold
    for descriptor in descriptors:
        os.close(descriptor)


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def make_device(path: Path) -> None:
    needs.root()
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))


def make_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("make", [make_fifo, make_socket, make_device, make_link, Path.mkdir])
def test_only_a_regular_file_is_opened_again(disk: Path, held: Held, make: Callable[[Path], None]) -> None:
    make(disk / "it")

    with refused(errno.ENXIO):
        inodes.open_again(held(disk / "it"), os.O_RDONLY)


def test_a_file_is_opened_again_after_it_has_lost_its_name(disk: Path, held: Held) -> None:
    (disk / "f").write_bytes(b"content")
    descriptor = held(disk / "f")
    (disk / "f").unlink()

    again = inodes.open_again(descriptor, os.O_RDONLY)
    content = os.read(again, 100)
    os.close(again)

    assert content == b"content"


def test_what_is_opened_again_is_the_inode_and_not_what_has_its_name_now(disk: Path, held: Held) -> None:
    (disk / "f").write_bytes(b"old")
    descriptor = held(disk / "f")
    (disk / "new").write_bytes(b"new")
    (disk / "new").replace(disk / "f")

    again = inodes.open_again(descriptor, os.O_RDONLY)
    content = os.read(again, 100)
    os.close(again)

    assert content == b"old"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (0o4755, 0o755),
        (0o2755, 0o755),
        (0o6755, 0o755),
        (0o2644, 0o2644),
        (0o6644, 0o2644),
        (0o2654, 0o654),
        (0o1777, 0o1777),
        (0o644, 0o644),
    ],
)
def test_privilege_bits_are_dropped_as_on_ext4(disk: Path, held: Held, before: int, after: int) -> None:
    (disk / "f").touch()
    (disk / "f").chmod(before)

    inodes.drop_privilege_bits(held(disk / "f"))

    assert stat.S_IMODE((disk / "f").stat().st_mode) == after


def test_a_mode_without_privilege_bits_is_left_alone(disk: Path, held: Held) -> None:
    (disk / "f").touch()
    before = (disk / "f").stat().st_ctime_ns

    inodes.drop_privilege_bits(held(disk / "f"))

    assert (disk / "f").stat().st_ctime_ns == before


@pytest.mark.parametrize("name", ["f", "link"])
def test_times_are_set_to_the_nanosecond_on_the_inode_itself(disk: Path, held: Held, name: str) -> None:
    (disk / "f").touch()
    (disk / "link").symlink_to("f")

    inodes.set_times(held(disk / name), 1_000_000_001, 2_000_000_002)
    status = (disk / name).lstat()

    assert (status.st_atime_ns, status.st_mtime_ns) == (1_000_000_001, 2_000_000_002)


def test_times_of_a_links_target_stay(disk: Path, held: Held) -> None:
    (disk / "f").touch()
    (disk / "link").symlink_to("f")
    before = (disk / "f").stat().st_mtime_ns

    inodes.set_times(held(disk / "link"), 1, 2)

    assert (disk / "f").stat().st_mtime_ns == before


def test_times_before_1970_are_times(disk: Path, held: Held) -> None:
    (disk / "f").touch()

    inodes.set_times(held(disk / "f"), -1, -1_500_000_000)
    status = (disk / "f").stat()

    assert (status.st_atime_ns, status.st_mtime_ns) == (-1, -1_500_000_000)


def test_a_time_that_is_not_given_stays(disk: Path, held: Held) -> None:
    (disk / "f").touch()
    inodes.set_times(held(disk / "f"), 1, 2)

    inodes.set_times(held(disk / "f"), None, 3)
    status = (disk / "f").stat()

    assert (status.st_atime_ns, status.st_mtime_ns) == (1, 3)


def test_the_owner_of_a_link_is_the_links(disk: Path, held: Held) -> None:
    needs.root()
    (disk / "f").touch()
    (disk / "link").symlink_to("f")

    inodes.set_owner(held(disk / "link"), 1001, -1)

    assert ((disk / "link").lstat().st_uid, (disk / "link").lstat().st_gid) == (1001, 0)
    assert (disk / "f").stat().st_uid == 0


def test_the_mode_of_a_link_can_not_be_set(disk: Path, held: Held) -> None:
    (disk / "f").touch(0o600)
    (disk / "link").symlink_to("f")

    with refused(errno.EOPNOTSUPP):
        inodes.set_mode(held(disk / "link"), 0o777)
    assert stat.S_IMODE((disk / "f").stat().st_mode) == 0o600


@pytest.mark.parametrize("target", [b"/etc/passwd", b"missing", b"\xff\xfe", b"x" * 4095])
def test_a_links_target_is_read_as_its_bytes(disk: Path, held: Held, target: bytes) -> None:
    os.symlink(target, os.fsencode(disk) + b"/link")

    assert inodes.read_link(held(disk / "link")) == target


@pytest.mark.parametrize("name", [b"trusted.katafs.uncommitted", b"trusted.SGI_ACL_FILE"])
def test_what_is_of_this_inode_alone_is_in_no_list_and_in_no_copy(disk: Path, held: Held, name: bytes) -> None:
    """Katafs' own notes, and an ACL as XFS shows it a second time."""
    needs.root()
    (disk / "d").mkdir()
    descriptor = held(disk / "d")

    for each in (name, b"trusted.other"):
        inodes.set_xattr(descriptor, each, b"value")

    assert inodes.list_xattrs(descriptor) == [b"trusted.other"]
    assert inodes.all_xattrs(descriptor) == {b"trusted.other": b"value"}
    assert inodes.find_xattr(descriptor, name) == b"value"


def test_extended_attributes_come_back_as_bytes(disk: Path, held: Held) -> None:
    (disk / "f").touch()
    descriptor = held(disk / "f")

    inodes.set_xattr(descriptor, b"user.one", b"\0\xff")

    assert inodes.list_xattrs(descriptor) == [b"user.one"]
    assert inodes.get_xattr(descriptor, b"user.one") == b"\0\xff"


@pytest.fixture
def timed(disk: Path, held: Held) -> int:
    """The directory `d`, which has times of its own."""
    needs.root()
    (disk / "d").mkdir()
    os.utime(disk / "d", ns=(1, 2))
    return held(disk / "d")


def refuse(*_: object) -> None:
    """As a disk that fails."""
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def unsupported(*_: object) -> None:
    """As a file system without extended attributes."""
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


def test_where_there_are_no_extended_attributes_none_are_found(timed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for ask in ("getxattr", "listxattr"):
        monkeypatch.setattr(os, ask, unsupported)

    assert inodes.all_xattrs(timed) == {}
    assert inodes.find_xattr(timed, b"user.one") is None


def test_an_extended_attribute_that_a_disk_fails_to_read_is_not_a_missing_one(
    timed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getxattr", refuse)
    with refused(errno.EIO):
        inodes.find_xattr(timed, b"user.one")


def test_times_that_a_disk_refuses_to_give_back_are_given_back_later(
    disk: Path, timed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inodes, "set_times", refuse)
    with pytest.raises(OSError, match="Input/output error"), inodes.times_kept_through_kills(timed):
        (disk / "d/new").touch()
    monkeypatch.undo()
    inodes.give_times_back(timed)

    assert (disk / "d").stat().st_mtime_ns == 2
    assert os.listxattr(disk / "d") == []


def test_a_note_of_times_that_a_disk_keeps_is_told(disk: Path, timed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would undo, at some time, what has happened to the directory since."""
    monkeypatch.setattr(inodes, "remove_xattr", refuse)
    with pytest.raises(OSError, match="Input/output error"), inodes.times_kept_through_kills(timed):
        (disk / "d/new").touch()
    with pytest.raises(OSError, match="Input/output error"):
        inodes.give_times_back(timed)
    monkeypatch.undo()
    with inodes.times_kept_through_kills(timed):
        (disk / "d/other").touch()

    assert (disk / "d").stat().st_mtime_ns == 2
    assert os.listxattr(disk / "d") == []


def test_times_are_kept_where_they_cannot_be_noted(disk: Path, timed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for change in ("setxattr", "removexattr"):
        monkeypatch.setattr(os, change, unsupported)
    with inodes.times_kept_through_kills(timed):
        (disk / "d/new").touch()

    assert (disk / "d").stat().st_mtime_ns == 2


def test_times_are_kept_also_where_another_has_given_them_back_meanwhile(disk: Path, timed: int) -> None:
    with inodes.times_kept_through_kills(timed):
        (disk / "d/new").touch()
        inodes.give_times_back(timed)

    assert (disk / "d").stat().st_mtime_ns == 2
    assert os.listxattr(disk / "d") == []
