"""How far a conversion has come: a bar on a terminal, a line now and then elsewhere, and the totals at its end."""

import logging
import time
from collections import Counter

import click
from rich import progress as rich_progress
from rich.console import Console

from katafs.cli.plain_text import in_a_line
from katafs.converter.results import Outcome, Result
from katafs.observe import logs

_LINE_EVERY_S = 10.0


def shown(result: Result) -> str:
    """A result as a line for people."""
    reason = f": {in_a_line(result.reason)}" if result.reason else ""
    return f"{in_a_line(result.piece.label)}: {result.outcome.value}{reason}"


class Progress:
    """Counts results, and shows how many there were."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._counts: Counter[Outcome] = Counter()
        self._entries = self._size_bytes = 0
        self._started_s = self._told_s = time.monotonic()
        console = Console(stderr=True)
        self._bar = _bar(console) if console.is_terminal else None
        self._task = None if self._bar is None else self._bar.add_task("converting", total=total)

    def __enter__(self) -> "Progress":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        click.echo(self._totals())

    def add(self, result: Result) -> None:
        """Count a result."""
        self._counts[result.outcome] += 1
        self._entries += result.entries
        self._size_bytes += result.size_bytes
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task)
        elif time.monotonic() - self._told_s >= _LINE_EVERY_S:
            self._told_s = time.monotonic()
            click.echo(f"{self._done} of {self._total}, {self._rate:.1f} a second, {self._left_s:.0f} s left", err=True)

    def say(self, line: str) -> None:
        """A line that stays: what was left, and why."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            click.echo(logs.for_stderr(line, logging.WARNING), err=True)

    @property
    def _done(self) -> int:
        return self._counts.total()

    @property
    def _seconds(self) -> float:
        return max(time.monotonic() - self._started_s, 1e-9)

    @property
    def _rate(self) -> float:
        return self._done / self._seconds

    @property
    def _left_s(self) -> float:
        return (self._total - self._done) / self._rate if self._done else 0.0

    def _totals(self) -> str:
        counts = ", ".join(f"{outcome.value} {self._counts[outcome]}" for outcome in Outcome if self._counts[outcome])
        size_mb = self._size_bytes / 1e6
        return (
            f"{counts or 'nothing to do'}; {self._entries} entries, {size_mb:.1f} MB"
            f" in {self._seconds:.1f} s, {self._rate:.1f} a second"
        )


def _bar(console: Console) -> rich_progress.Progress:
    return rich_progress.Progress(
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        _Speed(),
        rich_progress.TimeRemainingColumn(),
        console=console,
    )


class _Speed(rich_progress.ProgressColumn):
    """Katas a second."""

    def render(self, task: rich_progress.Task) -> str:
        """As rich asks for it."""
        return f"{task.speed or 0.0:.1f}/s"
