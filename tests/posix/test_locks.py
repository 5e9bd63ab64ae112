"""flock and fcntl locks between two processes."""

import fcntl
import os
from collections.abc import Callable

import pytest

from tests.posix.compare import compared
from tests.posix.place import Place
from tests.posix.processes import child

LOCKERS: dict[str, Callable[..., object]] = {"flock": fcntl.flock, "lockf": fcntl.lockf}
LOCKER = pytest.mark.parametrize("locker", LOCKERS)


def _tried_elsewhere(at: Place, attempt: Callable[[int], object]) -> bool:
    """Whether another process, with a descriptor of its own, gets the lock; recorded."""
    reading, writing = os.pipe()

    def work() -> None:
        fd = os.open("f", os.O_RDWR)
        try:
            attempt(fd)
        except BlockingIOError:
            os.write(writing, b"n")
        else:
            os.write(writing, b"y")

    with child(work):
        pass
    got = os.read(reading, 1) == b"y"
    os.close(reading)
    os.close(writing)
    return at.notes("another process gets it", got)


@LOCKER
@pytest.mark.parametrize("mine", [fcntl.LOCK_SH, fcntl.LOCK_EX])
@pytest.mark.parametrize("theirs", [fcntl.LOCK_SH, fcntl.LOCK_EX])
@compared
def test_shared_and_exclusive(at: Place, locker: str, mine: int, theirs: int) -> None:
    at.file("f", b"0123456789")
    fd = at.open("f")
    lock = LOCKERS[locker]
    lock(fd, mine)
    assert _tried_elsewhere(at, lambda other: lock(other, theirs | fcntl.LOCK_NB)) is (mine == theirs == fcntl.LOCK_SH)
    lock(fd, fcntl.LOCK_UN)
    assert _tried_elsewhere(at, lambda other: lock(other, theirs | fcntl.LOCK_NB)) is True


@compared
def test_ranges(at: Place) -> None:
    at.file("f", b"0123456789")
    fd = at.open("f")
    fcntl.lockf(fd, fcntl.LOCK_EX, 3, 2)
    for length, start, free in ((2, 0, True), (3, 0, False), (1, 4, False), (5, 5, True), (0, 0, False)):

        def attempt(other: int, length: int = length, start: int = start) -> None:
            fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)

        assert _tried_elsewhere(at, attempt) is free


@compared
def test_fcntl_lock_goes_when_any_descriptor_is_closed(at: Place) -> None:
    at.file("f")
    fd = at.open("f")
    fcntl.lockf(fd, fcntl.LOCK_EX)
    os.close(os.open("f", os.O_RDONLY))
    assert _tried_elsewhere(at, lambda other: fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB)) is True


@compared
def test_flock_stays_until_its_own_descriptor_is_closed(at: Place) -> None:
    at.file("f")
    fd = os.open("f", os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    os.close(os.open("f", os.O_RDONLY))
    assert _tried_elsewhere(at, lambda other: fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)) is False
    os.close(fd)
    assert _tried_elsewhere(at, lambda other: fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)) is True


@compared
def test_flock_between_descriptors_of_one_process(at: Place) -> None:
    at.file("f")
    one, two = at.open("f"), at.open("f")
    fcntl.flock(one, fcntl.LOCK_EX)
    assert at.tries(fcntl.flock, two, fcntl.LOCK_SH | fcntl.LOCK_NB) == "EAGAIN"
    fcntl.flock(one, fcntl.LOCK_SH)
    assert at.tries(fcntl.flock, two, fcntl.LOCK_SH | fcntl.LOCK_NB) == "ok"
    assert at.tries(fcntl.flock, two, fcntl.LOCK_EX | fcntl.LOCK_NB) == "EAGAIN"


@LOCKER
@compared
def test_lock_goes_with_its_process(at: Place, locker: str) -> None:
    at.file("f")
    lock = LOCKERS[locker]
    with child(lambda: lock(os.open("f", os.O_RDWR), fcntl.LOCK_EX)):
        pass
    assert at.tries(lock, at.open("f"), fcntl.LOCK_EX | fcntl.LOCK_NB) == "ok"


@LOCKER
@compared
def test_waiter_is_woken(at: Place, locker: str) -> None:
    at.file("f")
    lock = LOCKERS[locker]
    fd = at.open("f")
    lock(fd, fcntl.LOCK_EX)

    def waiter() -> None:
        other = os.open("f", os.O_RDWR)
        lock(other, fcntl.LOCK_EX)
        os.write(other, b"after")

    with child(waiter):
        os.write(fd, b"first")
        lock(fd, fcntl.LOCK_UN)
    assert at.gives(os.pread, fd, 9, 0) == b"after"


@LOCKER
@compared
def test_lock_holds_for_every_name(at: Place, locker: str) -> None:
    at.file("f")
    lock = LOCKERS[locker]
    lock(at.open("f"), fcntl.LOCK_EX)
    os.rename("f", "g")
    os.link("g", "f")
    assert _tried_elsewhere(at, lambda other: lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)) is False


@compared
def test_exclusive_fcntl_lock_needs_a_writer(at: Place) -> None:
    at.file("f")
    assert at.tries(fcntl.lockf, at.open("f", os.O_RDONLY), fcntl.LOCK_EX) == "EBADF"
    assert at.tries(fcntl.lockf, at.open("f", os.O_WRONLY), fcntl.LOCK_SH) == "EBADF"
    assert at.tries(fcntl.flock, at.open("f", os.O_RDONLY), fcntl.LOCK_EX) == "ok"


@compared
def test_flock_of_a_folder(at: Place) -> None:
    at.folder("f")
    fd = at.open("f", os.O_RDONLY)
    assert at.tries(fcntl.flock, fd, fcntl.LOCK_EX) == "ok"
    assert at.tries(fcntl.flock, at.open("f", os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB) == "EAGAIN"
    assert at.tries(fcntl.lockf, fd, fcntl.LOCK_SH) == "ok"


@compared
def test_unlocking_what_is_not_locked(at: Place) -> None:
    at.file("f")
    fd = at.open("f")
    assert at.tries(fcntl.flock, fd, fcntl.LOCK_UN) == "ok"
    assert at.tries(fcntl.lockf, fd, fcntl.LOCK_UN) == "ok"
