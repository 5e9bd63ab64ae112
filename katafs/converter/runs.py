"""Many pieces, one after the other in each worker: paced, stopped between two, tried again where that may help."""

import contextlib
import errno
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue

from katafs.converter.conversion import Conversion
from katafs.converter.results import PASSING, Outcome, Result
from katafs.errors import (
    ConversionRefused,
    KatafsError,
    NoThread,
    PieceBusy,
    PieceChanged,
    StoreUnreachable,
    VolumeRefused,
)
from katafs.threads import started
from katafs.volumes.legacy_disk import Piece

_FULL = (errno.ENOSPC, errno.EDQUOT)
_TRIES = 3
_REST_S = 2.0
"""What changes now may have come to rest after so long."""

_OUTCOMES: tuple[tuple[type[Exception], Outcome], ...] = (
    (PieceBusy, Outcome.BUSY),
    (PieceChanged, Outcome.CHANGED),
    (ConversionRefused, Outcome.REFUSED),
    (VolumeRefused, Outcome.REFUSED),
    (FileNotFoundError, Outcome.MISSING),
)

Work = Callable[[Piece], Result]


class _Workers:
    """Threads that each work on a piece at a time: as many as are wanted, or as there may be in the system."""

    def __init__(self, most: int, work: Work) -> None:
        """`work` raises nothing."""
        self.most = most
        """So many pieces may be at work at a time."""
        self.at_work = 0
        """How many are, or have a result that wasn't taken."""
        self._work = work
        self._begun: SimpleQueue[Piece | None] = SimpleQueue()
        """None ends a thread."""
        self._done: SimpleQueue[Result] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def begin(self, piece: Piece) -> None:
        """Have the piece worked on; where there is no thread at all, by the caller."""
        self.at_work += 1
        if self.at_work > len(self._threads):
            self._add()
        if self._threads:
            self._begun.put(piece)
        else:
            self._done.put(self._work(piece))

    def result(self) -> Result:
        """Wait for one."""
        result = self._done.get()
        self.at_work -= 1
        return result

    def close(self) -> None:
        """Wait for what is at work."""
        for _ in self._threads:
            self._begun.put(None)
        for thread in self._threads:
            thread.join()

    def _add(self) -> None:
        try:
            self._threads.append(started(self._run, "convert"))
        except NoThread:
            self.most = max(1, len(self._threads))

    def _run(self) -> None:
        while (piece := self._begun.get()) is not None:
            self._done.put(self._work(piece))


class Run:
    """The way a command goes through pieces."""

    def __init__(
        self, *, jobs: int, rate_per_s: float | None = None, paced: Callable[[Piece], bool] = lambda _: True
    ) -> None:
        """`jobs` pieces at a time, and no more than `rate_per_s` begun in a second, of those that are `paced`."""
        self._jobs = jobs
        self._pace_s = 1 / rate_per_s if rate_per_s else 0.0
        self._paced = paced
        self._stopping = False
        self._wake: SimpleQueue[None] = SimpleQueue()
        """Not an Event, whose lock a signal's handler may find held by the very thread that it interrupts."""
        self.fault: Exception | None = None
        """Why the run was broken off: a store that is gone, a disk that is full. No further piece would fare better."""
        self._bug: BaseException | None = None

    def stop(self) -> None:
        """Begin no other piece; those under way are finished. A signal's handler may call it."""
        self._stopping = True
        self._wake.put(None)

    @property
    def stopped(self) -> bool:
        """Whether pieces were left because somebody said `stop`."""
        return self._stopping and self.fault is None

    def results(self, pieces: Iterable[Piece], work: Work) -> Iterator[Result]:
        """What became of each piece, as each is done. What was busy or changed comes last, after it was tried again.

        After a bug no other piece is begun, and when all that was done is told it is raised."""
        yield from self._tried(pieces, work)
        if self._bug is not None:
            raise self._bug

    def _tried(self, pieces: Iterable[Piece], work: Work) -> Iterator[Result]:
        for tries_left in reversed(range(_TRIES)):
            again: list[Result] = []
            for result in self._each(pieces, work):
                if result.outcome in PASSING and tries_left:
                    again.append(result)
                else:
                    yield result
            if not again:
                return
            if self._stopped_within(_REST_S):
                yield from again
                return
            pieces = [result.piece for result in again]

    def _each(self, pieces: Iterable[Piece], work: Work) -> Iterator[Result]:
        """Results in the order in which they come; as many pieces are taken from the source as have a worker."""
        left = iter(pieces)
        with contextlib.closing(_Workers(self._jobs, lambda piece: self._one(piece, work))) as workers:
            while True:
                piece = None if self._stopping else next(left, None)
                if piece is not None:
                    pause_s = self._pace_s if self._pace_s and self._paced(piece) else 0.0
                    workers.begin(piece)
                    self._stopped_within(pause_s)
                if not workers.at_work and piece is None:
                    return
                if piece is None or workers.at_work >= workers.most:
                    yield workers.result()

    def _stopped_within(self, seconds: float) -> bool:
        """Wait so long, or until somebody says `stop`."""
        if seconds and not self._stopping:
            with contextlib.suppress(Empty):
                self._wake.get(timeout=seconds)
        return self._stopping

    def _one(self, piece: Piece, work: Work) -> Result:
        began_s = time.monotonic()
        try:
            return work(piece)
        except (KatafsError, OSError) as problem:
            if isinstance(problem, StoreUnreachable) or (isinstance(problem, OSError) and problem.errno in _FULL):
                self.fault = self.fault or problem
                self.stop()
            return Result(piece, _outcome(problem), seconds=time.monotonic() - began_s, reason=_told(problem))
        except BaseException as bug:  # noqa: BLE001  # raised when the others are told of; a panic is no Exception
            self._bug = self._bug or bug
            self.stop()
            return Result(piece, Outcome.FAILED, seconds=time.monotonic() - began_s, reason=f"a bug: {bug!r}")


def converted(conversion: Conversion, piece: Piece) -> Result:
    """Convert a piece, as a run's work."""
    began_s = time.monotonic()
    done = conversion.convert(piece)
    seconds = time.monotonic() - began_s
    return Result(piece, done.outcome, done.survey.entries, done.survey.size_bytes, seconds)


def _outcome(problem: Exception) -> Outcome:
    return next((outcome for kind, outcome in _OUTCOMES if isinstance(problem, kind)), Outcome.FAILED)


def _told(problem: Exception) -> str:
    if isinstance(problem, OSError):
        where = problem.filename.decode(errors="backslashreplace") if isinstance(problem.filename, bytes) else ""
        return f"{where}: {problem.strerror}" if where else problem.strerror or str(problem)
    return str(problem)
