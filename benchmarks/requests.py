"""How many requests of each kind the kernel sends a FUSE mount: exact where times are noisy.

Counts the tracepoint fuse:fuse_request_send (Linux 6.11 or later) in a tracing instance of its own.
"""

import contextlib
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.candidates import CPU, Candidate
from benchmarks.files import Workload

_BUFFER_KB = 32768
_SENT = re.compile(r"fuse_request_send: connection (\d+) req \d+ opcode \d+ \(FUSE_(\w+)\)")


class TracingUnavailable(Exception):
    """This kernel can't count requests."""


@dataclass(frozen=True)
class Profile:
    """What one run of a workload was made of."""

    requests: Counter[str]
    """By kind, those of mounting included."""
    took_s: float
    used: CPU
    """By the daemon: in user mode Python's, in the kernel that of its calls. The rest of the time is the program's, the
    kernel's for it, and waking up."""
    binding: float
    """The part of it, from 0 to 1, that is no operation's but katafs/fuse's; of a run of its own."""


def profile(workload: Workload, candidate: Candidate, scratch: Path) -> Profile:
    """Of one whole run, and one more. Raises TracingUnavailable."""
    with candidate.mounted():
        workload.prepare(candidate)
    candidate.connections.clear()
    before = candidate.used
    with _tracing(scratch) as trace:
        with candidate.mounted():
            took_s = sum(workload.run(candidate))
        found, used = counted(_sent(trace), candidate.connections), candidate.used - before
    return Profile(found, took_s, used, _binding(workload, candidate, scratch / "operations"))


def _binding(workload: Workload, candidate: Candidate, file: Path) -> float:
    before = candidate.used
    candidate.timing(file)
    with candidate.mounted():
        workload.run(candidate)
    used = candidate.used - before
    taken_s = sum(map(float, file.read_text().split()))
    file.unlink()
    return max(0.0, 1 - taken_s / (used.user_s + used.system_s))


def counted(lines: Sequence[str], connections: set[int]) -> Counter[str]:
    """The requests by kind, of those connections only, in lines of a trace."""
    found = (_SENT.search(line) for line in lines)
    return Counter(match[2] for match in found if match and int(match[1]) in connections)


def _sent(trace: Path) -> list[str]:
    for statistics in trace.glob("per_cpu/*/stats"):
        if "overrun: 0\n" not in statistics.read_text():
            raise RuntimeError("more requests than the trace buffer holds")
    return (trace / "trace").read_text().splitlines()


@contextlib.contextmanager
def _tracing(scratch: Path) -> Iterator[Path]:
    with _tracefs(scratch) as tracefs:
        if not (tracefs / "events/fuse/fuse_request_send").is_dir():
            raise TracingUnavailable("this kernel has no tracepoint fuse:fuse_request_send")
        instance = tracefs / "instances" / f"katafs-bench-{os.getpid()}"
        instance.mkdir()
        try:
            (instance / "buffer_size_kb").write_text(str(_BUFFER_KB))
            (instance / "events/fuse/fuse_request_send/enable").write_text("1")
            yield instance
        finally:
            instance.rmdir()


@contextlib.contextmanager
def _tracefs(scratch: Path) -> Iterator[Path]:
    """A tracefs of our own, which leaves the system's mounts as they are."""
    place = scratch / "tracefs"
    place.mkdir(exist_ok=True)
    mounting = ["mount", "-t", "tracefs", "katafs-bench", str(place)]
    done = subprocess.run(mounting, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise TracingUnavailable(f"tracefs can't be mounted: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
