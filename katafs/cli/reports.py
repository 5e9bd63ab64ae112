"""The file of `--report`: a line of JSON for each result, there as soon as the result is."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from katafs.converter.results import Result
from katafs.errors import KatafsError


class Report:
    """The open file. What can't be written is a fault, and the last that is tried."""

    def __init__(self, path: Path) -> None:
        """Raises KatafsError where it can't be opened."""
        self._path = path
        self.fault: KatafsError | None = None
        """Why it couldn't be written."""
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as problem:
            raise self._refusal(problem) from problem

    def _refusal(self, problem: OSError) -> KatafsError:
        return KatafsError(f"--report {self._path}: {problem.strerror}")

    def add(self, result: Result) -> None:
        """Write a result's line."""
        if self.fault is not None:
            return
        line = f"{result.line()}\n".encode()
        try:
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as problem:
            self.fault = self._refusal(problem)

    def close(self) -> None:
        """Nothing more is to come."""
        self._file.close()


@contextlib.contextmanager
def opened_report(path: Path | None) -> Iterator[Report | None]:
    """The report, if one is wanted. Raises KatafsError."""
    if path is None:
        yield None
        return
    with contextlib.closing(Report(path)) as report:
        yield report
