"""What workloads have in common: what one is, and the files that it works on."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from benchmarks.candidates import Candidate


class Workload(Protocol):
    """Something to time, in one or more stages: each is a row of the table."""

    name: str
    """What `--only` calls it."""
    rows: tuple[str, ...]
    """What its stages are, for the reader of the table."""

    def prepare(self, candidate: Candidate) -> None:
        """Make what every run needs; once, not timed."""

    def run(self, candidate: Candidate) -> tuple[float, ...]:
        """The seconds that each stage took. The candidate is cold at the start."""


@contextmanager
def timed() -> Iterator[list[float]]:
    """Gives a list that holds, once the block has ended, the seconds that it took."""
    seconds: list[float] = []
    start = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - start)


def write(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    if content:
        os.write(descriptor, content)
    os.close(descriptor)


def read_all(paths: Sequence[str]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        while os.read(descriptor, 65536):
            pass
        os.close(descriptor)


def make_trees(candidate: Candidate, directories: int, files: int, content: bytes) -> list[str]:
    """Katas of up to 20 directories each; the paths of all files."""
    paths = []
    for first in range(0, directories, 20):
        kata = candidate.new_kata()
        paths += fill(kata, range(first, min(first + 20, directories)), files, content)
    return paths


def fill(kata: Path, directories: Sequence[int], files: int, content: bytes) -> list[str]:
    paths = []
    for directory in directories:
        (kata / f"dir-{directory}").mkdir()
        for file in range(files):
            path = f"{kata}/dir-{directory}/file-{file}"
            write(path, content)
            paths.append(path)
    return paths
