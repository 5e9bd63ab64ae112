"""The locks of an old disk: between threads, between processes, and after the death of who held them."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from katafs.errors import StoreUnreachable
from katafs.volumes.legacy_locks import LOCK_FILE, Locks
from tests.harness import needs, waiting
from tests.harness.programs import forked, in_child

KEY, OTHER = 7, 8
LARGEST_KEY = 2**56 - 1


@pytest.fixture
def top(disk: Path) -> Iterator[int]:
    """A descriptor of a disk's top."""
    descriptor = os.open(disk, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@contextmanager
def _claimed_in_thread(locks: Locks, key: int) -> Iterator[threading.Event]:
    """A thread that claims the key; the event says that it has."""
    has_it, go_on = threading.Event(), threading.Event()

    def claim() -> None:
        with locks.claim(key):
            has_it.set()
            go_on.wait(60)

    thread = threading.Thread(target=claim)
    thread.start()
    try:
        yield has_it
    finally:
        go_on.set()
        thread.join(60)


def _waits(disk: Path) -> bool:
    """Whether somebody waits for a lock of this file."""
    inode = (disk / LOCK_FILE.decode()).stat().st_ino
    lines = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and f":{inode} " in line for line in lines)


@pytest.mark.parametrize("key", [KEY, 0, LARGEST_KEY])
@pytest.mark.parametrize("separate", [False, True])
def test_a_claim_keeps_others_out(top: int, disk: Path, key: int, separate: bool) -> None:
    with closing(Locks(top)) as locks, closing(Locks(top)) as others, ExitStack() as later:
        with locks.claim(key):
            has_it = later.enter_context(_claimed_in_thread(others if separate else locks, key))
            waiting.until(lambda: _waits(disk), "the other to wait")
            assert not has_it.is_set()
        assert has_it.wait(60)


def test_claims_of_two_pieces_do_not_meet(top: int) -> None:
    with closing(Locks(top)) as locks, locks.claim(KEY), _claimed_in_thread(locks, OTHER) as has_it:
        assert has_it.wait(60)


def test_a_claim_ends_with_its_process(top: int) -> None:
    def claim_and_die() -> None:
        locks = Locks(top)
        locks.claim(KEY).__enter__()
        os._exit(0)

    with pytest.raises(AssertionError, match="ended without an answer"):
        in_child(claim_and_die)
    with closing(Locks(top)) as locks, locks.claim(KEY):
        pass


def test_a_claim_in_another_process_keeps_this_one_out(top: int, disk: Path) -> None:
    reader, writer = os.pipe()
    pid = forked()
    if pid == 0:
        with closing(Locks(top)) as locks, locks.claim(KEY):
            os.write(writer, b"x")
            waiting.until(lambda: _waits(disk), "the other to wait")
            (disk / "done").touch()
        os._exit(0)
    assert os.read(reader, 1) == b"x"
    with closing(Locks(top)) as locks, locks.claim(KEY):
        assert (disk / "done").exists()
    assert os.waitpid(pid, 0)[1] == 0
    os.close(reader)
    os.close(writer)


def test_who_deletes_waits_for_readers_and_only_for_those_of_the_piece(top: int, disk: Path) -> None:
    with closing(Locks(top)) as reading, closing(Locks(top)) as deleting:
        assert reading.hold(KEY)
        assert reading.hold(KEY)
        deleting.wait_for_readers(OTHER)
        waiter = threading.Thread(target=deleting.wait_for_readers, args=[KEY])
        waiter.start()
        waiting.until(lambda: _waits(disk), "the other to wait")
        reading.release(KEY)
        assert waiter.is_alive()
        assert _waits(disk)
        reading.release(KEY)
        waiter.join(60)
        assert not waiter.is_alive()


def test_a_claim_does_not_keep_readers_out(top: int) -> None:
    with closing(Locks(top)) as locks, closing(Locks(top)) as reading, locks.claim(KEY):
        assert reading.hold(KEY)
        reading.release(KEY)


def test_two_processes_may_read_one_piece(top: int) -> None:
    with closing(Locks(top)) as one, closing(Locks(top)) as other:
        assert one.hold(KEY)
        assert other.hold(KEY)


def test_the_file_goes_with_the_last_who_has_it(top: int, disk: Path) -> None:
    with closing(Locks(top)) as first:
        with closing(Locks(top)) as second:
            first.remove_if_alone()
            assert os.listdir(disk) == [".katafs-lock"]
            second.remove_if_alone()
        assert os.listdir(disk) == []


def test_who_waits_while_the_file_goes_takes_the_next_one(top: int, disk: Path) -> None:
    with closing(Locks(top)) as first:
        first.remove_if_alone()
        # The deleted file is still locked as a whole by who deleted it.
        with closing(Locks(top)) as second, ExitStack() as later:
            with second.claim(KEY):
                has_it = later.enter_context(_claimed_in_thread(first, KEY))
                waiting.until(lambda: _waits(disk), "the first to wait at the new file")
                assert not has_it.is_set()
            assert has_it.wait(60)


def test_many_come_and_go_and_a_claim_is_always_alone(top: int, disk: Path) -> None:
    inside: list[int] = []
    crowds: list[int] = []

    def come_and_go() -> None:
        for _ in range(60):
            with closing(Locks(top)) as locks:
                with locks.claim(KEY):
                    inside.append(1)
                    crowds.append(len(inside))
                    inside.pop()
                locks.remove_if_alone()

    threads = [threading.Thread(target=come_and_go) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert crowds == [1] * 360
    with closing(Locks(top)) as last:
        last.remove_if_alone()
    assert os.listdir(disk) == []


def test_making_the_file_leaves_the_disks_times(top: int, disk: Path) -> None:
    os.utime(disk, ns=(1_000_000_001, 1_000_000_002))
    with closing(Locks(top)):
        assert (disk.stat().st_atime_ns, disk.stat().st_mtime_ns) == (1_000_000_001, 1_000_000_002)
        assert os.listxattr(disk) == []


def test_who_only_looks_makes_no_file(top: int, disk: Path) -> None:
    with closing(Locks(top, make=False)) as locks:
        assert locks.hold(KEY)
        locks.release(KEY)
        locks.remove_if_alone()
    assert os.listdir(disk) == []


def test_a_link_in_the_files_place_is_not_followed(top: int, disk: Path) -> None:
    (disk / "elsewhere").write_text("untouched")
    (disk / ".katafs-lock").symlink_to("elsewhere")
    with pytest.raises(OSError, match="Too many levels"):
        Locks(top)


@pytest.mark.parametrize(("owner", "mode"), [(65534, 0o600), (0, 0o644), (0, 0o660)])
def test_a_file_that_others_can_lock_is_refused_and_not_waited_for(top: int, disk: Path, owner: int, mode: int) -> None:
    needs.root()
    (disk / ".katafs-lock").touch()
    os.chown(disk / ".katafs-lock", owner, 0)
    (disk / ".katafs-lock").chmod(mode)
    with (disk / ".katafs-lock").open("rb+") as theirs:
        fcntl.lockf(theirs, fcntl.LOCK_EX)
        for make in (True, False):
            with pytest.raises(StoreUnreachable, match=r"\.katafs-lock .* locked by others .*: delete .* if .* again"):
                Locks(top, make=make)


def test_one_that_takes_the_files_place_later_is_refused_too(top: int, disk: Path) -> None:
    needs.root()
    with closing(Locks(top)) as locks:
        (disk / ".katafs-lock").unlink()
        (disk / ".katafs-lock").touch()
        os.chown(disk / ".katafs-lock", 65534, 65534)
        with pytest.raises(StoreUnreachable, match="can be locked by others"), locks.claim(KEY):
            pass


def test_two_disks_have_two_identities_and_each_keeps_its_own(top: int, disk: Path) -> None:
    (disk / "other").mkdir()
    other_top = os.open(disk / "other", os.O_RDONLY | os.O_DIRECTORY)
    with closing(Locks(top)) as one, closing(Locks(top)) as again, closing(Locks(other_top)) as other:
        with one.claim(KEY):
            pass
        assert one.identity == again.identity != other.identity
    with closing(Locks(top)) as later:
        assert later.identity == one_identity(disk)
    os.close(other_top)


def one_identity(disk: Path) -> bytes:
    """The identity of the disk whose file of locks is there already."""
    descriptor = os.open(disk, os.O_RDONLY)
    try:
        with closing(Locks(descriptor)) as locks:
            return locks.identity
    finally:
        os.close(descriptor)
