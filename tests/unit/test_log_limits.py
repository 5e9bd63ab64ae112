"""Warnings that repeat: the first pass, and then it is said how many were left out."""

import logging
import threading
from collections.abc import Iterator

import pytest

from katafs.observe.limits import MOST, PERIOD_S, Limited
from katafs.observe.lines import extras
from tests.harness.waiting import until


class Kept(logging.Handler):
    """Keeps what comes to it."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.closed = False

    def emit(self, record: logging.LogRecord) -> None:
        """As Handler has it."""
        self.records.append(record)

    def left_out(self) -> list[object]:
        """What was said to be left out."""
        return [extras(record)["left_out"] for record in self.records if "left_out" in extras(record)]

    def close(self) -> None:
        """As Handler has it."""
        self.closed = True
        super().close()


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def limited(kept: Kept, clock: Clock) -> Iterator[Limited]:
    limited = Limited(kept, clock)
    yield limited
    limited.close()


def warn(limited: Limited, count: int, level: int = logging.WARNING, **values: object) -> None:
    for number in range(count):
        record = logging.LogRecord("katafs.test", level, __file__, 1, "failed", (), None)
        vars(record).update({"operation": "lookup", "error": f"gone {number}", **values})
        limited.handle(record)


def test_whoever_logs_goes_on_where_no_thread_can_be_started(
    limited: Limited, kept: Kept, clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then most of all there is something to log, by threads that have requests to answer, and much of one kind."""
    tried: list[threading.Thread] = []

    def fail(thread: threading.Thread) -> None:
        tried.append(thread)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    warn(limited, MOST + 7)
    assert (len(kept.records), len(tried), capsys.readouterr().err) == (MOST, 1, "")

    clock.now_s += PERIOD_S
    warn(limited, 1)
    assert kept.left_out() == [7]


def test_whoever_logs_goes_on_where_what_comes_after_fails(
    limited: Limited, kept: Kept, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: logging.LogRecord) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(kept, "handle", fail)
    warn(limited, 1)

    assert "ZeroDivisionError: oh" in capsys.readouterr().err


def test_a_few_pass(limited: Limited, kept: Kept) -> None:
    warn(limited, MOST)

    assert [extras(record)["error"] for record in kept.records] == [f"gone {number}" for number in range(MOST)]


def test_of_many_the_first_pass_and_the_next_period_says_how_many_did_not(
    limited: Limited, kept: Kept, clock: Clock
) -> None:
    warn(limited, MOST + 7)
    assert (len(kept.records), kept.left_out()) == (MOST, [])

    clock.now_s += PERIOD_S
    warn(limited, 1)

    told, again = kept.records[MOST:]
    assert extras(told) == {"operation": "lookup", "error": f"gone {MOST + 6}", "left_out": 7}
    assert (told.levelno, told.getMessage()) == (logging.WARNING, "failed")
    assert "left_out" not in extras(again)


def test_the_end_says_it_too(limited: Limited, kept: Kept) -> None:
    warn(limited, MOST + 3)

    limited.close()

    assert kept.left_out() == [3]
    assert kept.closed


def test_it_is_said_where_nothing_comes_any_more(kept: Kept) -> None:
    limited = Limited(kept, period_s=0.5)
    warn(limited, MOST + 1)

    until(lambda: kept.left_out() == [1], "what was left out to be said")
    limited.close()


def test_each_operation_and_each_level_counts_for_itself(limited: Limited, kept: Kept) -> None:
    warn(limited, MOST + 1)
    warn(limited, MOST, operation="mkdir")
    warn(limited, MOST, logging.ERROR)

    assert len(kept.records) == 3 * MOST


def test_what_is_no_warning_is_not_limited(limited: Limited, kept: Kept) -> None:
    warn(limited, 5 * MOST, logging.INFO)

    assert len(kept.records) == 5 * MOST


def test_the_traceback_of_a_bug_is_not_told_once_more_with_the_count(limited: Limited, kept: Kept) -> None:
    bug = ZeroDivisionError("oh")
    warn(limited, MOST + 1, logging.ERROR, exc_info=(type(bug), bug, None))

    limited.close()

    assert [record.exc_info is None for record in kept.records] == [False] * MOST + [True]
