"""Somebody who reads `.katafs/accesslog`: the real cat, whose output goes to a file."""

import itertools
import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness.waiting import until

_numbers = itertools.count()

Line = dict[str, str]


class LogReader:
    """A cat that reads."""

    def __init__(self, mount_point: Path, output: Path) -> None:
        self._mount_point = mount_point
        self._output = output
        # A shell has what it runs in the background ignore SIGINT, these tests for instance.
        cat = ["env", "--default-signal=INT", "cat", str(mount_point / ".katafs" / "accesslog")]
        with output.open("wb") as stdout:
            self.process = subprocess.Popen(cat, stdout=stdout, stderr=subprocess.PIPE)
        self.catch_up()

    def lines(self) -> list[Line]:
        """What it has read up to now, each line as a dictionary."""
        text = self._output.read_text().rpartition("\n")[0]
        return [parsed(line) for line in text.split("\n") if line]

    def catch_up(self) -> list[Line]:
        """The same, when it has read all that was done before."""
        mark = f"mark-{next(_numbers)}"

        def reached() -> bool:
            # Again and again: the first time the cat may not have opened the file yet.
            os.path.lexists(self._mount_point / mark)
            return mark in self._output.read_text()

        until(reached, f"the lookup of {mark} in the access log")
        return [line for line in self.lines() if not line.get("path", "").startswith(("/mark-", "/.katafs"))]


def parsed(line: str) -> Line:
    """A line's values by their keys. JSON's quotes are a shell's in these tests' names."""
    return dict(word.split("=", 1) for word in shlex.split(line))


@contextmanager
def reading(mount_point: Path, output: Path) -> Iterator[LogReader]:
    """A reader that ends with the block."""
    reader = LogReader(mount_point, output)
    try:
        yield reader
    finally:
        reader.process.terminate()
        reader.process.communicate(timeout=60)
