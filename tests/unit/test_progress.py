"""What a conversion tells of how far it is, where no terminal shows a bar: in a service's journal, say."""

from types import SimpleNamespace

import pytest

from katafs.cli.progress import Progress
from katafs.converter.results import Outcome, Result
from katafs.kata_id import KataId
from katafs.volumes.legacy_disk import piece_of

MOVED = Result(piece_of(KataId("123456789A")), Outcome.MOVED)


class Clock:
    """Goes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr("katafs.cli.progress.time", SimpleNamespace(monotonic=lambda: self.now_s))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time by which progress is told."""
    return Clock(monkeypatch)


def test_a_line_every_ten_seconds_says_how_far_it_is(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(12) as progress:
        for _ in range(10):
            clock.now_s += 2
            progress.add(MOVED)

    assert capsys.readouterr().err.splitlines() == [
        "5 of 12, 0.5 a second, 14 s left",
        "10 of 12, 0.5 a second, 4 s left",
    ]


def test_the_totals_come_last(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(1) as progress:
        clock.now_s += 2
        progress.add(MOVED)

    assert capsys.readouterr().out == "moved 1; 0 entries, 0.0 MB in 2.0 s, 0.5 a second\n"
