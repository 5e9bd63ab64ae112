"""Warnings that repeat: the first of them are logged, and then how many were left out.

A store that is gone fails every lookup below it, and a log that fills the disk helps nobody.
"""

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from katafs.errors import NoThread
from katafs.threads import started

MOST = 10
"""So many of one kind pass in a period."""
PERIOD_S = 60.0

_Kind: TypeAlias = tuple[str, int, str, object]


@dataclass
class _Period:
    """What came of one kind since a moment."""

    began_s: float
    passed: int = 0
    left_out: int = 0
    last: logging.LogRecord | None = None


class Limited(logging.Handler):
    """Passes records on to another handler, of warnings and worse not too many of one kind: the same message about the
    same operation. Its lock covers the periods."""

    def __init__(
        self, onward: logging.Handler, clock: Callable[[], float] = time.monotonic, period_s: float = PERIOD_S
    ) -> None:
        super().__init__()
        self._onward = onward
        self._period_s = period_s
        self._clock = clock
        self._periods: dict[_Kind, _Period] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """As Handler has it."""
        try:
            self._pass_or_count(record)
        except Exception:  # noqa: BLE001 whoever logs has something to do: answer a request, say
            self.handleError(record)

    def _pass_or_count(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.WARNING:
            self._onward.handle(record)
            return
        kind = (record.name, record.levelno, str(record.msg), vars(record).get("operation"))
        period = self._periods.get(kind)
        if period is not None and self._clock() - period.began_s >= self._period_s:
            self._end(kind, period)
            period = None
        if period is None:
            period = self._periods[kind] = _Period(self._clock())
        if period.passed < MOST:
            period.passed += 1
            self._onward.handle(record)
            return
        if period.left_out == 0:
            self._call_later(kind, period)
        period.left_out += 1
        period.last = record

    def _end(self, kind: _Kind, period: _Period) -> None:
        """Say what was left out, unless that was done already."""
        if self._periods.get(kind) is period:
            del self._periods[kind]
            self._say(period)

    def _say(self, period: _Period) -> None:
        if period.last is None:
            return
        told = logging.makeLogRecord(vars(period.last))
        told.exc_info = None  # one of its kind has been told with its traceback
        told.left_out = period.left_out
        self._onward.handle(told)

    def _call_later(self, kind: _Kind, period: _Period) -> None:
        """See to it that what was left out is said also where nothing comes any more."""
        left_s = period.began_s + self._period_s - self._clock()
        with contextlib.suppress(NoThread):  # then the next of its kind after the period says it, or the end
            started(lambda: self._end_after(max(0.0, left_s), kind, period), "katafs-log")

    def _end_after(self, seconds: float, kind: _Kind, period: _Period) -> None:
        time.sleep(seconds)
        self.acquire()
        try:
            self._end(kind, period)
        finally:
            self.release()

    def close(self) -> None:
        """Say what was left out up to the end."""
        self.acquire()
        try:
            for period in self._periods.values():
                self._say(period)
            self._periods.clear()
        finally:
            self.release()
        self._onward.close()
        super().close()
