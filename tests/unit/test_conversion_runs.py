"""A run through pieces: its order, its pace, its end, what is tried again; and what is told of each piece."""

import errno
import json
import os
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from katafs.converter import pieces
from katafs.converter.oddities import oddities
from katafs.converter.results import GOOD, PASSING, Outcome, Result
from katafs.converter.runs import Run
from katafs.errors import (
    ConversionRefused,
    KatafsError,
    PieceBusy,
    PieceChanged,
    StoreUnreachable,
    VolumeRefused,
    WrittenLate,
)
from katafs.kata_id import KataId
from katafs.rooted.answer import answer
from katafs.volumes.legacy_disk import Piece
from tests.harness.descriptors import held

PIECES = [Piece("12", f"{number:08X}".encode(), KataId(f"12{number:08X}")) for number in range(20)]


def _done(piece: Piece) -> Result:
    return Result(piece, Outcome.MOVED)


@pytest.mark.parametrize("jobs", [1, 2, 30])
def test_each_piece_comes_once(jobs: int) -> None:
    results = list(Run(jobs=jobs).results(PIECES, _done))
    assert Counter(result.piece for result in results) == Counter(PIECES)


def test_one_worker_keeps_the_order() -> None:
    assert [result.piece for result in Run(jobs=1).results(PIECES, _done)] == PIECES


@pytest.mark.parametrize("jobs", [1, 3])
def test_so_many_are_under_way_at_once_and_no_more(jobs: int) -> None:
    together = threading.Barrier(jobs)
    lock, inside, most = threading.Lock(), [0], [0]

    def work(piece: Piece) -> Result:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        together.wait(60)
        with lock:
            inside[0] -= 1
        return _done(piece)

    assert len(list(Run(jobs=jobs).results(PIECES[: jobs * 4], work))) == jobs * 4
    assert most == [jobs]


def test_a_rate_spaces_the_beginnings() -> None:
    begun: list[float] = []

    def work(piece: Piece) -> Result:
        begun.append(time.monotonic())
        return _done(piece)

    started = time.monotonic()  # the first thread may take as long to begin as it likes
    list(Run(jobs=4, rate_per_s=50).results(PIECES[:8], work))
    assert begun[-1] - started >= 7 / 50


def test_stop_lets_what_is_under_way_finish_and_begins_nothing() -> None:
    run = Run(jobs=2)

    def work(piece: Piece) -> Result:
        run.stop()
        return _done(piece)

    results = list(run.results(PIECES, work))
    assert 1 <= len(results) <= 2
    assert run.stopped


def test_stop_ends_a_pause_of_the_pace() -> None:
    run = Run(jobs=1, rate_per_s=0.001)
    timer = threading.Timer(0.05, run.stop)
    timer.start()
    assert len(list(run.results(PIECES, _done))) == 1
    timer.join()


@pytest.mark.parametrize(
    ("problem", "outcome", "told"),
    [
        (ConversionRefused("it is so"), Outcome.REFUSED, "it is so"),
        (VolumeRefused("it is so"), Outcome.REFUSED, "it is so"),
        (WrittenLate("it is so"), Outcome.FAILED, "it is so"),
        (KatafsError("it is so"), Outcome.FAILED, "it is so"),
        (answer(errno.ENOENT), Outcome.MISSING, "No such file or directory"),
        (answer(errno.EIO, b"lion/\xff"), Outcome.FAILED, "lion/\\xff: Input/output error"),
    ],
)
def test_a_problem_of_one_piece_is_its_outcome(problem: Exception, outcome: Outcome, told: str) -> None:
    def work(piece: Piece) -> Result:
        if piece == PIECES[1]:
            raise problem
        return _done(piece)

    run = Run(jobs=1)
    results = list(run.results(PIECES[:3], work))
    assert [(result.outcome, result.reason) for result in results] == [
        (Outcome.MOVED, ""),
        (outcome, told),
        (Outcome.MOVED, ""),
    ]
    assert run.fault is None
    assert outcome not in GOOD


@pytest.mark.parametrize("problem", [StoreUnreachable("gone"), answer(errno.ENOSPC), answer(errno.EDQUOT)])
def test_a_problem_of_all_breaks_the_run_off(problem: Exception) -> None:
    def work(piece: Piece) -> Result:
        raise problem

    run = Run(jobs=1)
    results = list(run.results(PIECES, work))
    assert [result.outcome for result in results] == [Outcome.FAILED]
    assert run.fault is problem
    assert not run.stopped


def test_a_bug_comes_out_when_all_that_was_done_is_told() -> None:
    begun, failed = threading.Event(), threading.Event()

    def work(piece: Piece) -> Result:
        if piece == PIECES[1]:
            begun.set()
            assert failed.wait(60)
            return _done(piece)
        assert begun.wait(60)
        threading.Timer(0.2, failed.set).start()
        raise ZeroDivisionError("oh")

    told: list[Result] = []
    with pytest.raises(ZeroDivisionError):
        told.extend(Run(jobs=2).results(PIECES, work))
    assert [(each.piece, each.outcome, each.reason) for each in told] == [
        (PIECES[0], Outcome.FAILED, "a bug: ZeroDivisionError('oh')"),
        (PIECES[1], Outcome.MOVED, ""),
    ]


@pytest.mark.parametrize("problem", [PieceBusy("open"), PieceChanged("grown")])
def test_what_may_pass_is_tried_again_after_the_others(problem: Exception) -> None:
    tries: Counter[Piece] = Counter()

    def work(piece: Piece) -> Result:
        tries[piece] += 1
        if piece == PIECES[0] and tries[piece] == 1:
            raise problem
        return _done(piece)

    results = list(Run(jobs=1).results(PIECES[:3], work))
    assert [result.piece for result in results] == [PIECES[1], PIECES[2], PIECES[0]]
    assert {result.outcome for result in results} == {Outcome.MOVED}
    assert tries[PIECES[0]] == 2


def test_stop_ends_the_rest_before_another_try() -> None:
    run = Run(jobs=1)

    def work(piece: Piece) -> Result:
        threading.Timer(0.05, run.stop).start()
        raise PieceBusy("open")

    assert [result.outcome for result in run.results(PIECES[:1], work)] == [Outcome.BUSY]
    assert Outcome.BUSY in PASSING


def test_a_line_of_a_report() -> None:
    result = Result(Piece("12", b"new\nline \xff"), Outcome.FAILED, 3, 4, 0.1234567891, "so")
    line = result.line()
    assert "\n" not in line
    assert line.isascii()
    assert json.loads(line) == {
        "id": "12/new\nline \udcff", "outcome": "failed", "entries": 3, "bytes": 4, "seconds": 0.123457, "reason": "so",
    }  # fmt: skip


def test_ids_come_each_once() -> None:
    first, second = PIECES[0].kata, PIECES[1].kata
    assert first is not None
    assert second is not None
    assert list(pieces.of_ids([second, first, second])) == [PIECES[1], PIECES[0]]


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        (b'{"id":"123456789A"}', []),
        (b"{", ["its manifest is not JSON"]),
        (b"[]", ["its manifest is not an object"]),
        (b"{}", ["its manifest has the id None"]),
        (b'{"id":7}', ["its manifest has the id 7"]),
        (None, ["no manifest"]),
    ],
)
def test_oddities_of_a_manifest(disk: Path, manifest: bytes | None, told: list[str]) -> None:
    if manifest is not None:
        (disk / "manifest.json").write_bytes(manifest)
    with held(disk) as kata:
        assert list(oddities(kata, KataId("123456789A"))) == told


def test_a_manifest_of_any_size_is_no_reason_to_read_it(disk: Path) -> None:
    (disk / "manifest.json").touch()
    os.truncate(disk / "manifest.json", 1 << 40)
    with held(disk) as kata:
        assert list(oddities(kata, KataId("123456789A"))) == ["its manifest can't be read: File too large"]
