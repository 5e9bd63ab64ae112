"""Rounds: every candidate once in each, in random order, on one workload after the other."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.candidates import candidates
from benchmarks.files import Workload

Seconds = dict[str, dict[str, list[float]]]
"""By row of the table and by candidate: what each round took."""


def measure(workloads: Sequence[Workload], scratch: Path, rounds: int, say: Callable[[str], None]) -> Seconds:
    """Time all of it, each workload on candidates of its own below the directory.

    Raises RuntimeError where a candidate fails, CalledProcessError where a program on it does."""
    seconds: Seconds = {}
    for workload in workloads:
        compared = candidates(scratch / workload.name)
        for candidate in compared:
            say(f"{workload.name}: preparing {candidate.name}")
            with candidate.mounted():
                workload.prepare(candidate)
        for row in workload.rows:
            seconds[row] = {candidate.name: [] for candidate in compared}
        for number in range(1, rounds + 1):
            say(f"{workload.name}: round {number} of {rounds}")
            for candidate in random.sample(compared, len(compared)):
                with candidate.mounted():
                    took = workload.run(candidate)
                for row, each in zip(workload.rows, took, strict=True):
                    seconds[row][candidate.name].append(each)
    return seconds
