"""One name below a directory, as Linux 5.4 opens it without openat2(2): the answers are the same."""

import errno
import os
from pathlib import Path

import pytest

from katafs.rooted import syscalls
from tests.harness import needs
from tests.harness.linux_5_4 import lose_later_calls
from tests.harness.programs import in_child

HOW = {
    "to look": os.O_PATH,
    "to go down": os.O_PATH | os.O_DIRECTORY,
    "to read": os.O_RDONLY | os.O_NONBLOCK,
    "to make": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
}
NAMES = ["file", "directory", "link", "link to nothing", "fifo", "nothing", "..", "x" * 256]


@pytest.fixture
def directory(disk: Path) -> Path:
    needs.root()
    top = disk / "top"
    top.mkdir()
    (top / "file").touch()
    (top / "directory").mkdir()
    (top / "link").symlink_to("directory")
    (top / "link to nothing").symlink_to("made")
    os.mkfifo(top / "fifo")
    return top


def opened(directory: Path, name: str, flags: int, linux_5_4: bool) -> tuple[str, int, int]:
    """What came of it: how it ended, and the inode's number and mode."""
    if linux_5_4:
        lose_later_calls()
    top = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    before = len(os.listdir("/proc/self/fd"))
    try:
        descriptor = syscalls.open_inside(top, name.encode(), flags, 0o640 if flags & os.O_CREAT else 0)
    except OSError as problem:
        assert len(os.listdir("/proc/self/fd")) == before
        return errno.errorcode[problem.errno or 0], 0, 0
    status = os.fstat(descriptor)
    assert not os.get_inheritable(descriptor)
    if flags & os.O_CREAT:
        os.unlink(directory / name)
        return "made", 0, status.st_mode
    return "opened", status.st_ino, status.st_mode


@pytest.mark.parametrize("flags", HOW.values(), ids=HOW)
@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:20])
def test_a_name_is_opened_as_elsewhere(directory: Path, name: str, flags: int) -> None:
    ours, elsewhere = (in_child(opened, directory, name, flags, linux_5_4) for linux_5_4 in (True, False))

    assert ours == elsewhere
    assert not (directory / "made").exists()


def test_a_path_is_no_name(directory: Path) -> None:
    assert in_child(opened, directory, "directory/..", os.O_PATH, True) == ("EXDEV", 0, 0)
