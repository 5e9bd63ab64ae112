"""Which part of a daemon's Python is the binding's, katafs/fuse: sampled from outside, by py-spy."""

import contextlib
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

_PER_S = 500
_DEADLINE_S = 60.0
_STARTED = "Sampling"
_ROOM = re.compile(r"\((?:[^)]*/)?katafs/(\w+)")
_BINDING = "fuse"


class Sampler:
    """Samples of what the threads of daemons execute while they hold Python's lock."""

    def __init__(self) -> None:
        self.samples: Counter[str] = Counter()
        """By the room of katafs that the innermost of its own frames is in."""

    def binding(self) -> float:
        """The binding's part of all samples, from 0 to 1. Raises RuntimeError where there is none."""
        if not self.samples:
            raise RuntimeError("py-spy saw nothing")
        return self.samples[_BINDING] / self.samples.total()

    @contextlib.contextmanager
    def watching(self, pid: int) -> Iterator[None]:
        """Sample a process for the time of a block, after which it must still be there. Raises RuntimeError."""
        with tempfile.NamedTemporaryFile() as found:
            spy = subprocess.Popen(_command(pid, found.name), stdout=subprocess.PIPE, text=True)
            try:
                assert spy.stdout is not None
                if not any(_STARTED in line for line in spy.stdout):
                    raise RuntimeError("py-spy didn't begin")
                yield
            finally:
                spy.send_signal(signal.SIGINT)
                spy.communicate(timeout=_DEADLINE_S)
            self.samples += counted(Path(found.name).read_text().splitlines())


def counted(lines: Iterable[str]) -> Counter[str]:
    """The samples by room, in lines that each have a stack, its outermost frame first, and how often it was seen."""
    samples: Counter[str] = Counter()
    for line in lines:
        stack, _, times = line.rpartition(" ")
        rooms = _ROOM.findall(stack)
        if rooms:
            samples[rooms[-1]] += int(times)
    return samples


def _command(pid: int, output: str) -> list[str]:
    spy = Path(sys.executable).with_name("py-spy")
    options = {"--pid": str(pid), "--rate": str(_PER_S), "--format": "raw", "--output": output}
    return [str(spy), "record", "--gil", "--nonblocking", *(word for pair in options.items() for word in pair)]
