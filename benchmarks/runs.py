"""Rounds: every candidate once in each, in random order, on one workload after the other."""

import contextlib
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.candidates import Candidate, candidates
from benchmarks.files import Workload

Seconds = dict[str, dict[str, list[float]]]
"""By row of the table and by candidate: what each round took."""


def measure(
    workloads: Sequence[Workload], scratch: Path, rounds: int, warm_up: int, say: Callable[[str], None]
) -> Seconds:
    """Time all of it, each workload on candidates of its own below the directory. With `warm_up` a workload's daemons
    stay from its first round to its last, and so many rounds before those aren't counted.

    Raises RuntimeError where a candidate fails, CalledProcessError where a program on it does."""
    seconds: Seconds = {}
    for workload in workloads:
        compared = candidates(scratch / workload.name, stay=warm_up > 0)
        for row in workload.rows:
            seconds[row] = {candidate.name: [] for candidate in compared}
        with contextlib.ExitStack() as ends:
            for candidate in compared:
                say(f"{workload.name}: preparing {candidate.name}")
                with candidate.mounted():
                    workload.prepare(candidate)
            for candidate in compared if warm_up else ():
                ends.enter_context(candidate.mounted())
            for number in range(1 - warm_up, rounds + 1):
                say(f"{workload.name}: round {number} of {rounds}")
                for candidate in random.sample(compared, len(compared)):
                    took = _run(workload, candidate, stays=warm_up > 0)
                    for row, each in zip(workload.rows, took, strict=True):
                        if number > 0:
                            seconds[row][candidate.name].append(each)
    return seconds


def _run(workload: Workload, candidate: Candidate, *, stays: bool) -> tuple[float, ...]:
    if stays:
        candidate.chill()
        return workload.run(candidate)
    with candidate.mounted():
        return workload.run(candidate)
