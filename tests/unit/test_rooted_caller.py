"""Creating in another user's name."""

import ctypes
import errno
import os
import stat
from pathlib import Path

import pytest

from katafs.rooted import syscalls
from katafs.rooted.caller import Creator
from tests.harness import needs
from tests.harness.call_filter import refuse_call
from tests.harness.programs import in_child

OTHER = 12345
"""A user and a group that need not exist."""


def owner_of(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_uid, status.st_gid


@pytest.fixture
def creator(own_process: None) -> Creator:
    """A creator, which ends with the test."""
    return Creator()


@pytest.mark.parametrize("uid", [OTHER, 1 << 31, 0xFFFFFFFE])
def test_what_is_made_belongs_to_the_caller(disk: Path, creator: Creator, uid: int) -> None:
    """Also where an int has no room for the number, as those of directory services have."""
    needs.root()
    with creator.acting_as(uid, uid - 1):
        (disk / "d").mkdir()

    assert owner_of(disk / "d") == (uid, uid - 1)


def test_a_link_that_is_made_belongs_to_the_caller(disk: Path, creator: Creator) -> None:
    needs.root()
    with creator.acting_as(OTHER, OTHER + 1):
        (disk / "link").symlink_to("f")

    assert owner_of(disk / "link") == (OTHER, OTHER + 1)


def test_a_setgid_directory_hands_on_its_group(disk: Path, creator: Creator) -> None:
    needs.root()
    os.chown(disk, 0, 777)
    disk.chmod(0o2755)

    with creator.acting_as(OTHER, OTHER):
        (disk / "d").mkdir()

    assert owner_of(disk / "d") == (OTHER, 777)
    assert (disk / "d").stat().st_mode & stat.S_ISGID


def test_permissions_are_not_asked_twice(disk: Path, creator: Creator) -> None:
    """The kernel has asked already, of the tree; of the volume's own directories the caller need know nothing."""
    needs.root()
    disk.chmod(0o700)

    with creator.acting_as(OTHER, OTHER):
        (disk / "f").touch()

    assert owner_of(disk / "f") == (OTHER, OTHER)


def test_afterwards_the_thread_creates_as_itself_again(disk: Path, creator: Creator) -> None:
    with creator.acting_as(OTHER, OTHER):
        pass
    (disk / "f").touch()

    assert owner_of(disk / "f") == (os.geteuid(), os.getegid())


def test_after_a_failure_too_it_creates_as_itself_again(disk: Path, creator: Creator) -> None:
    with pytest.raises(FileNotFoundError), creator.acting_as(OTHER, OTHER):
        (disk / "missing" / "d").mkdir()
    (disk / "f").touch()

    assert owner_of(disk / "f") == (os.geteuid(), os.getegid())


def test_the_callers_umask_is_all_that_counts(disk: Path, creator: Creator) -> None:
    """The kernel has applied it to the mode it sends; the daemon's own must not take away more."""
    os.close(os.open(disk / "f", os.O_CREAT | os.O_WRONLY, 0o777))

    assert stat.S_IMODE((disk / "f").stat().st_mode) == 0o777


def test_who_cannot_be_acted_as_leaves_the_thread_as_itself(disk: Path, creator: Creator) -> None:
    needs.root()
    with pytest.raises(PermissionError) as refused, creator.acting_as(0xFFFFFFFF, OTHER):
        pass
    (disk / "f").touch()

    assert refused.value.errno == errno.EPERM
    assert owner_of(disk / "f") == (os.geteuid(), os.getegid())


def test_nor_is_who_has_no_memory_to_say_so(creator: Creator, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs.root()
    original, failures = syscalls.set_file_system_ids, list[Exception]()

    def exhausted(uid: int, gid: int) -> None:
        if failures:
            raise failures.pop()
        original(uid, gid)

    monkeypatch.setattr(syscalls, "set_file_system_ids", exhausted)
    with creator.acting_as(OTHER, OTHER):
        failures += [MemoryError(), ctypes.ArgumentError("argument 1: MemoryError: ")]
    (disk / "ours").mkdir()

    assert owner_of(disk / "ours") == (0, 0)


@pytest.mark.parametrize("failing", ["setfsuid", "setfsgid"])
def test_who_finds_no_memory_to_be_itself_again_is_not_the_caller_from_then_on(
    disk: Path, creator: Creator, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """The kernel needs memory for it. What root makes next in this thread would be the caller's, who could write it."""
    needs.root()
    original, failures = getattr(syscalls, f"_{failing}"), list[int]()

    def exhausted(number: int) -> int:
        if number != OTHER and failures:
            return failures.pop()
        return int(original(number))

    monkeypatch.setattr(syscalls, f"_{failing}", exhausted)
    with creator.acting_as(OTHER, OTHER):
        (disk / "d").mkdir()
        failures += [OTHER, OTHER]  # to be set, and to be asked whether it was
    with creator.acting_as(0, 0):
        (disk / "ours").mkdir()

    assert owner_of(disk / "d") == (OTHER, OTHER)
    assert owner_of(disk / "ours") == (0, 0)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES])
@pytest.mark.parametrize("filtered", ["setfsuid", "setfsgid"])
def test_a_filter_of_system_calls_refuses_the_caller_and_keeps_nobody_waiting(
    disk: Path, filtered: str, number: int
) -> None:
    """As SystemCallFilter=~@privileged with a SystemCallErrorNumber= does."""
    needs.root()

    in_child(_create_filtered, filtered, number, disk)

    assert owner_of(disk / "ours") == (0, 0)


def _create_filtered(filtered: str, number: int, disk: Path) -> None:
    refuse_call(filtered, number)
    creator = Creator()
    with pytest.raises(PermissionError), creator.acting_as(OTHER, OTHER):
        (disk / "theirs").mkdir()
    (disk / "ours").mkdir()
