"""What a container leaves in its volume to trouble a daemon that runs as root: none of it blocks or harms the mount."""

import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from tests.harness import needs, waiting
from tests.harness.mounts import Mounts
from tests.harness.programs import run
from tests.system.facts import tree_facts


@pytest.fixture
def kata(mount: Mounts) -> Path:
    """A kata on a mount."""
    path = mount("--layout", "split").path / "12" / "3456789A"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def volume(kata: Path, disk: Path) -> Path:
    """The same kata as a container has it, with a file to read."""
    (kata / "readable").write_text("here\n")
    return disk / "volumes" / "123456789A"


def test_a_reader_that_waits_for_a_fifo_blocks_no_one_else(kata: Path, volume: Path) -> None:
    os.mkfifo(volume / "fifo")
    readers = [subprocess.Popen(["cat", str(kata / "fifo")], stdout=subprocess.PIPE) for _ in range(40)]
    try:
        assert run(["cat", kata / "readable"], timeout=60).stdout == "here\n"
        assert run(["ls", kata], timeout=60).stdout == "fifo\nreadable\n"
    finally:
        for reader in readers:
            reader.kill()
            reader.communicate()


def test_a_fifo_carries_what_is_written_to_it(kata: Path, volume: Path) -> None:
    os.mkfifo(volume / "fifo")
    with subprocess.Popen(["cat", str(kata / "fifo")], stdout=subprocess.PIPE) as reader:
        run(["sh", "-c", f"echo through > {kata}/fifo"])
        assert reader.communicate(timeout=60)[0] == b"through\n"


def test_a_device_can_be_seen_and_not_be_used(kata: Path, volume: Path) -> None:
    needs.root()
    os.mknod(volume / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    status = (kata / "zero").stat()
    assert (stat.S_ISCHR(status.st_mode), status.st_rdev) == (True, os.makedev(1, 5))
    # The mount is nodev.
    with pytest.raises(PermissionError):
        (kata / "zero").open("rb").close()


def test_a_block_device_in_a_volume_is_not_opened_by_a_scan(kata: Path, volume: Path) -> None:
    needs.root()
    os.mknod(volume / "disk", stat.S_IFBLK | 0o666, os.makedev(259, 77))
    assert run(["tar", "-cf", "/dev/stdout", "-C", kata, "disk"], status=0).stderr == ""


def test_a_socket_of_a_container_is_a_name_like_any_other(kata: Path, volume: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(volume / "socket"))
        assert stat.S_ISSOCK((kata / "socket").stat().st_mode)
        with pytest.raises(OSError, match="No such device or address"):
            os.open(kata / "socket", os.O_RDONLY)
        (kata / "socket").unlink()
    assert not (volume / "socket").exists()


def test_a_file_that_becomes_a_fifo_blocks_no_one(kata: Path, volume: Path) -> None:
    # The kernel may still know the name as a file, and asks for it to be opened.
    assert (kata / "readable").read_text() == "here\n"
    os.mkfifo(volume / "fifo")
    os.rename(volume / "fifo", volume / "readable")
    reader = subprocess.Popen(["cat", str(kata / "readable")], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert run(["ls", kata], timeout=60).stdout == "readable\n"
        (kata / "other").write_text("there")
        assert (volume / "other").read_text() == "there"
    finally:
        reader.kill()
        reader.communicate()


def test_names_that_are_not_text(kata: Path, volume: Path) -> None:
    names = [b"\xff\xfe", b"new\nline", b"\x1b[31m", b"-rf", b" ", b"\\", b"n" * 255]
    for name in names:
        (Path(os.fsdecode(bytes(volume) + b"/" + name))).write_bytes(name)
    assert sorted(os.listdir(bytes(kata))) == sorted([*names, b"readable"])
    assert [Path(os.fsdecode(bytes(kata) + b"/" + name)).read_bytes() for name in names] == names


def test_symlinks_to_themselves_and_to_each_other(kata: Path, volume: Path) -> None:
    (volume / "self").symlink_to("self")
    (volume / "one").symlink_to("two")
    (volume / "two").symlink_to("one")
    for name in ("self", "one"):
        with pytest.raises(OSError, match="Too many levels"):
            (kata / name).read_bytes()
    assert run(["tar", "-cf", "/dev/null", "-C", kata, "."]).stderr == ""


def test_a_deep_tree(kata: Path, volume: Path) -> None:
    depth = 300
    run(["sh", "-c", f"for n in $(seq {depth}); do mkdir d && cd d || exit 1; done; echo deep > file"], cwd=volume)
    assert run(["sh", "-c", f"for n in $(seq {depth}); do cd d || exit 1; done; cat file"], cwd=kata).stdout == "deep\n"
    assert len(tree_facts(kata)) == depth + 3


def test_a_huge_sparse_file(kata: Path, volume: Path) -> None:
    with (volume / "huge").open("wb") as file:
        file.truncate(1 << 40)
    status = (kata / "huge").stat()
    assert (status.st_size, status.st_blocks) == (1 << 40, 0)
    with (kata / "huge").open("rb") as huge:
        assert os.pread(huge.fileno(), 10, (1 << 40) - 5) == bytes(5)


def test_a_directory_that_disappears_while_it_is_the_working_directory(kata: Path, volume: Path) -> None:
    (volume / "going").mkdir()
    shell = subprocess.Popen(
        ["sh", "-c", "read go; ls; cat readable; echo $?"],
        cwd=kata / "going",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    (volume / "going").rmdir()
    out, _ = shell.communicate("go\n", timeout=60)
    assert out.endswith("1\n")
    waiting.until(lambda: os.listdir(kata) == ["readable"], "the directory to be gone from the listing")
