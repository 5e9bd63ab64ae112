"""Names that are hard to take, and stores with something unexpected in them: each gets the errno that POSIX names, or
a clear line, and nothing is lost."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.mounts import Mounts
from tests.harness.programs import run
from tests.harness.refusals import refused
from tests.harness.waiting import until
from tests.mounted.conftest import Serve
from tests.mounted.served import Served, fresh_id

KATA = "123456789A"
HARD = [b"\xff\xfe\x80", b"\xc3\x28", b"line\nfeed", b"x" * 255, b"\xff" * 255, b"-rf", b" ", b"\x7f", b"a:b*c?"]
"""Names that are valid, and that some program stumbles over."""


def path_in(served: Served, where: str, name: bytes) -> bytes:
    """The name at the top, in an outer directory, in a kata or in an avatar's sandbox."""
    kata = served.make(fresh_id())
    places = {
        "top": served.top,
        "outer": served.top / kata.name[:2],
        "kata": kata,
        "sandbox": kata / "lion" / "sandbox",
    }
    places[where].mkdir(parents=True, exist_ok=True)
    return bytes(places[where]) + b"/" + name


def file_at(path: bytes) -> None:
    with open(path, "wb") as file:
        file.write(path)


@pytest.mark.parametrize("where", ["top", "outer", "kata", "sandbox"])
@pytest.mark.parametrize("name", HARD)
def test_a_hard_name_is_a_name_like_any_other(flat: Served, where: str, name: bytes) -> None:
    path = path_in(flat, where, name)
    file_at(path)
    os.link(path, path[:-1] + b"2")
    os.unlink(path)
    os.rename(path[:-1] + b"2", path)
    found = (name in os.listdir(os.path.dirname(path)), os.path.getsize(path))
    os.unlink(path)

    assert found == (True, len(path))
    assert not os.path.lexists(path)


@pytest.mark.parametrize("name", HARD)
def test_a_hard_name_is_a_directorys_and_a_links_too(flat: Served, name: bytes) -> None:
    path = path_in(flat, "kata", name)
    os.mkdir(path)
    os.symlink(name, path + b"/" + name)

    assert os.readlink(path + b"/" + name) == name
    assert os.listdir(path) == [name]


@pytest.mark.parametrize("where", ["top", "outer", "kata", "sandbox"])
@pytest.mark.parametrize("make", [file_at, os.mkdir, lambda path: os.symlink(b"x", path)])
def test_a_name_of_256_bytes_is_too_long(flat: Served, where: str, make: Callable[[bytes], object]) -> None:
    with refused(errno.ENAMETOOLONG):
        make(path_in(flat, where, b"x" * 256))


LOOKED_UP = ["top", "outer", "kata", "sandbox"]


@pytest.mark.parametrize("where", LOOKED_UP)
def test_a_name_of_256_bytes_is_too_long_to_be_looked_up(flat: Served, where: str) -> None:
    with refused(errno.ENAMETOOLONG):
        os.stat(path_in(flat, where, b"x" * 256))


def test_an_attributes_name_may_be_hard_too(flat: Served) -> None:
    path = path_in(flat, "kata", b"f")
    file_at(path)
    os.setxattr(path, b"user.\xff\xfe", b"\0\xff")

    assert os.getxattr(path, b"user.\xff\xfe") == b"\0\xff"


def test_a_kata_that_is_no_directory_in_the_store_is_refused(served: Served) -> None:
    """A link could lead anywhere."""
    served.mounted.expect("is refused")
    kata = fresh_id()
    served.path(kata).parent.mkdir(exist_ok=True)
    served.volume(kata).symlink_to("/etc")

    with refused(errno.EIO):
        os.listdir(served.path(kata))

    served.mounted.wait_for_log(
        f'WARNING: failed operation=lookup error="volume {kata} is refused: .* is not a directory"'
    )
    served.volume(kata).unlink()


def test_a_kata_that_is_refused_hides_no_other(disk: Path, serve: Serve) -> None:
    for kata in ("AAAAAAAAAA", "BBBBBBBBBB"):
        (disk / "volumes" / kata).mkdir(parents=True)
    (disk / "volumes" / KATA).symlink_to("/etc")
    served = serve()
    served.mounted.expect("is refused")

    assert sorted(os.listdir(served.top)) == [KATA, "AAAAAAAAAA", "BBBBBBBBBB"]
    with refused(errno.EIO):
        os.listdir(served.path(KATA))
    assert os.listdir(served.path("AAAAAAAAAA")) == []


def test_a_refused_kata_is_shown_closed(disk: Path, serve: Serve) -> None:
    """`ls -l` shows that there is something, and that it isn't an empty directory."""
    (disk / "volumes").mkdir()
    (disk / "volumes" / KATA).symlink_to("/etc")
    served = serve()
    served.mounted.expect("is refused")
    listed = run(["ls", "-l", served.top], status=None)

    assert KATA in listed.stdout + listed.stderr
    assert (listed.status, stat.S_ISLNK((disk / "volumes" / KATA).lstat().st_mode)) != (0, False)


def test_volumes_that_are_none_of_ours_are_left_alone(disk: Path, serve: Serve) -> None:
    for name in ("mysql", "123456789a", "123456789A_unicorn", "lost+found", "\udcff"):
        (disk / "volumes" / name).mkdir(parents=True)
    served = serve()
    (served.top / "mysql").mkdir()

    assert os.listdir(served.top) == ["mysql"]
    assert os.listdir(served.volume("mysql")) == []


def test_a_volume_removed_behind_the_mount_is_not_found_and_gone(served: Served) -> None:
    kata = fresh_id()
    path = served.make(kata)
    (path / "f").touch()
    run(["rm", "-r", served.volume(kata)])

    until(lambda: not (path / "f").exists(), "the file to be gone")
    until(lambda: not path.exists(), "the kata to be gone")
    until(lambda: path.name not in os.listdir(path.parent), "the kata to be gone from the listing")


def test_a_file_that_was_open_when_its_volume_was_removed_stays_readable(served: Served) -> None:
    kata = fresh_id()
    path = served.make(kata)
    (path / "f").write_text("content")
    with (path / "f").open() as file:
        run(["rm", "-r", served.volume(kata)])
        text = file.read()

    assert text == "content"


def test_a_kata_whose_volume_was_removed_can_be_made_again(served: Served) -> None:
    kata = fresh_id()
    path = served.make(kata)
    served.volume(kata).rmdir()
    until(lambda: not path.exists(), "the kata to be gone")
    path.mkdir()
    (path / "f").write_text("new")

    assert (served.volume(kata) / "f").read_text() == "new"


def test_a_store_that_is_missing_is_told_in_one_line(mount: Mounts, disk: Path) -> None:
    (disk / "mnt").mkdir()
    mounted = mount(at=disk / "mnt", volumes=f"dir:{disk}/nowhere", ready=False)
    mounted.ended(status=3)

    assert mounted.log().splitlines()[-1].startswith(f"katafs: the directory of volumes {disk}/nowhere does not exist")
    assert not (disk / "nowhere").exists()


def test_a_store_that_is_a_file_is_told_in_one_line(mount: Mounts, disk: Path) -> None:
    (disk / "mnt").mkdir()
    (disk / "file").write_text("mine")
    mounted = mount(at=disk / "mnt", volumes=f"dir:{disk}/file", ready=False)
    mounted.ended(status=3)

    assert mounted.log().splitlines()[-1].startswith(f"katafs: the directory of volumes {disk}/file can't be opened")
    assert (disk / "file").read_text() == "mine"


def test_a_root_volume_that_is_a_file_is_told_and_kept(mount: Mounts, disk: Path) -> None:
    (disk / "mnt").mkdir()
    (disk / "volumes").mkdir()
    (disk / "volumes" / "katafs_root").write_text("mine")
    mounted = mount(at=disk / "mnt", ready=False)
    mounted.ended(status=1)

    assert "volume katafs_root is refused" in mounted.log().splitlines()[-1]
    assert (disk / "volumes" / "katafs_root").read_text() == "mine"
