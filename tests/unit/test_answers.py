"""What becomes of an error: an errno for the caller, a line for the operator."""

import errno
import logging

import pytest

from katafs.errors import KatafsError, MountPointUnusable, NoThread, StoreUnreachable, VolumeRefused
from katafs.mount.answers import errno_of
from katafs.observe.lines import extras

ORDINARY = [errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.EACCES, errno.EDQUOT, errno.EXDEV, errno.ESTALE]
ALARMING = [errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC]


@pytest.mark.parametrize("number", [*ORDINARY, *ALARMING])
def test_an_answer_keeps_its_errno(number: int) -> None:
    assert errno_of("open", OSError(number, "no")) == number


@pytest.mark.parametrize("number", ORDINARY)
def test_an_ordinary_answer_is_only_for_debugging(number: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    errno_of("open", OSError(number, "no"))

    assert [record.levelno for record in caplog.records] == [logging.DEBUG]


@pytest.mark.parametrize("number", ALARMING)
def test_an_answer_that_an_operator_must_hear_of_is_a_warning(number: int, caplog: pytest.LogCaptureFixture) -> None:
    errno_of("open", OSError(number, "no"))

    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_an_attribute_that_is_too_large_for_an_inode_is_no_full_disk(caplog: pytest.LogCaptureFixture) -> None:
    assert errno_of("setxattr", OSError(errno.ENOSPC, "no")) == errno.ENOSPC
    assert not caplog.records


@pytest.mark.parametrize("fault", [KatafsError, StoreUnreachable, VolumeRefused, MountPointUnusable])
def test_a_fault_is_an_io_error(fault: type[KatafsError]) -> None:
    assert errno_of("lookup", fault("the engine is gone")) == errno.EIO


def test_a_fault_is_one_line_of_warning_that_names_the_operation(caplog: pytest.LogCaptureFixture) -> None:
    errno_of("lookup", StoreUnreachable("the engine is gone"))

    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, "failed")
    assert extras(record) == {"operation": "lookup", "error": "the engine is gone"}


def test_a_want_of_threads_passes(caplog: pytest.LogCaptureFixture) -> None:
    assert errno_of("open", NoThread("can't start new thread")) == errno.EAGAIN
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [(logging.WARNING, "failed")]


def test_a_want_of_memory_is_no_bug(caplog: pytest.LogCaptureFixture) -> None:
    assert errno_of("open", MemoryError()) == errno.ENOMEM
    assert [(record.levelno, extras(record)["error"]) for record in caplog.records] == [
        (logging.WARNING, "[Errno 12] Cannot allocate memory")
    ]


def test_a_fault_is_told_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    fault = StoreUnreachable("the engine is gone")
    fault.__cause__ = ConnectionRefusedError("refused by /run/docker.sock")

    errno_of("lookup", fault)

    assert "refused by /run/docker.sock" in str(extras(caplog.records[0])["cause"])


BUGS = [ZeroDivisionError("oh"), KeyError("oh"), AssertionError("oh"), OSError("without an errno"), TimeoutError()]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: type(bug).__name__)
def test_a_bug_is_an_io_error(bug: Exception) -> None:
    assert errno_of("read", bug) == errno.EIO


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: type(bug).__name__)
def test_a_bug_is_told_as_one(bug: Exception, caplog: pytest.LogCaptureFixture) -> None:
    errno_of("read", bug)

    assert [(record.levelno, record.exc_info is not None) for record in caplog.records] == [(logging.ERROR, True)]


def test_a_bugs_traceback_is_told(caplog: pytest.LogCaptureFixture) -> None:
    try:
        1 // 0  # noqa: B018  # the traceback is what is wanted of it
    except ZeroDivisionError as bug:
        errno_of("read", bug)

    assert "Traceback" in caplog.text
    assert "1 // 0" in caplog.text
