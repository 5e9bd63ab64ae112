"""Several clients at once, each at work in a kata of its own as a server's programs are."""

import os
import traceback
from pathlib import Path

from benchmarks.candidates import Candidate
from benchmarks.files import read_all, timed, write

_CLIENTS = 8
_FILES = 10


class Mixed:
    """Writes, renames, listings and reads, by so many clients."""

    name = "clients"

    def __init__(self, turns: int) -> None:
        """Each turn of a client makes 10 files in a new directory, lists them, reads them and renames one."""
        self.rows: tuple[str, ...] = (f"{_CLIENTS} clients at once, {turns} times each: make, list, read, rename",)
        self._turns = turns

    def prepare(self, candidate: Candidate) -> None:
        """Needs nothing."""

    def run(self, candidate: Candidate) -> tuple[float, ...]:
        katas = [candidate.new_kata() for _ in range(_CLIENTS)]
        with timed() as seconds:
            statuses = [os.waitpid(client, 0)[1] for client in [self._start(kata) for kata in katas]]
        if any(statuses):
            raise RuntimeError(f"a client on {candidate.name} failed")
        return tuple(seconds)

    def _start(self, kata: Path) -> int:
        client = os.fork()
        if client:
            return client
        status = 1
        try:
            for turn in range(self._turns):
                _work(kata / f"run-{turn}")
            status = 0
        except Exception:  # noqa: BLE001 it is the child's, and said where the child ends
            traceback.print_exc()
        finally:
            os._exit(status)


def _work(directory: Path) -> None:
    directory.mkdir()
    content = os.urandom(1024)
    for number in range(_FILES):
        write(f"{directory}/file-{number}", content)
    with os.scandir(directory) as entries:
        found = [entry.path for entry in entries if entry.stat().st_size == len(content)]
    if len(found) != _FILES:
        raise RuntimeError(f"{directory} shows {len(found)} files of {_FILES}")
    read_all(found)
    (directory / "file-0").rename(directory / "renamed")
