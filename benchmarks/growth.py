"""What many katas cost, and many files: the start of a mount, its memory, one operation on one kata, whole listings."""

import os
import random
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.candidates import KATAFS, PYTHON, Candidate
from benchmarks.stub_engine import stub_engine
from benchmarks.table import Grown, Walked

_KATAS = (100, 10_000, 100_000)
_TURNS, _READS = 20, 100
_FILES_OF_KATA, _FILES_OF_DIRECTORY = 10_000, 100
_WALKED = 1_000_000
_INODES = 250_000
_FILE, _CONTENT = "file", b"x" * 1024
_ASKED = ("-o", "timeout=0")
"""Every name on the way to a file is then looked up by the daemon each time."""


def in_directories(scratch: Path, rounds: int, scale: float, say: Callable[[str], None]) -> list[Grown]:
    """On the directory store."""
    mounts = []
    for names in _named(scale):
        say(f"growth: making {len(names):,} directories")
        place = scratch / f"directories-{len(names)}"
        for name in names:
            (place / "volumes" / name).mkdir(parents=True)
        (place / "volumes" / _middle(names) / _FILE).write_bytes(_CONTENT)
        mount = _katafs(place, f"dir:{place}/volumes", *_ASKED)
        mounts.append(_Mount(mount, names, Grown(f"{len(names):,} directories")))
    return _measured(mounts, rounds, say)


def in_stub(scratch: Path, rounds: int, scale: float, say: Callable[[str], None]) -> list[Grown]:
    """On engines that only say they have the volumes, all of them with the same data."""
    mounts = []
    with ExitStack() as engines:
        for names in _named(scale):
            place = scratch / f"stub-{len(names)}"
            (place / "data").mkdir(parents=True)
            (place / "data" / _FILE).write_bytes(_CONTENT)
            url = engines.enter_context(stub_engine(place / "sock", names, place / "data"))
            mount = _katafs(place, "docker", "--read-only", *_ASKED, environment=(f"DOCKER_HOST={url}",))
            mounts.append(_Mount(mount, names, Grown(f"{len(names):,} volumes of a stub engine")))
        return _measured(mounts, rounds, say)


def walks(scratch: Path, scale: float, say: Callable[[str], None]) -> list[Walked]:
    """`find -ls` of many files, with the bound that is the default, in proportion, and without any."""
    files = max(_FILES_OF_DIRECTORY, round(_WALKED * scale))
    say(f"growth: making {files:,} files")
    place = scratch / "walked"
    for first in range(0, files, _FILES_OF_DIRECTORY):
        kata, directory = divmod(first, _FILES_OF_KATA)
        path = place / "volumes" / f"{kata:010X}" / f"{directory:05}"
        path.mkdir(parents=True)
        for number in range(_FILES_OF_DIRECTORY):
            os.mknod(path / f"file-{number}", 0o100644)
    bound = max(1000, round(_INODES * scale))
    found = []
    for number, inodes in enumerate((bound, 10 * files + 1000)):
        say(f"growth: a walk, inodes={inodes}")
        what = f"`find -ls` of {files:,} files, `-o inodes={inodes}`" if number == 0 else "the same without a bound"
        mount = _katafs(place / str(number), f"dir:{place}/volumes", "-o", f"inodes={inodes},debug")
        found.append(_walk(what, mount, files))
    return found


def _walk(what: str, mount: Candidate, files: int) -> Walked:
    with mount.mounted():
        began = time.perf_counter()
        listing = subprocess.Popen(["find", str(mount.root), "-type", "f", "-ls"], stdout=subprocess.PIPE)
        assert listing.stdout is not None
        seen = sum(1 for _ in listing.stdout)
        seconds = time.perf_counter() - began
        if listing.wait() != 0 or seen != files:
            raise RuntimeError(f"find saw {seen} of {files} files")
        resident = _status_bytes(mount.pid, "VmHWM")
        descriptors = len(os.listdir(f"/proc/{mount.pid}/fd"))
    said = re.search(r"at most (\d+) inodes", mount.log())
    if said is None:
        raise RuntimeError("the daemon doesn't say how many inodes it remembered")
    return Walked(what, seconds, resident, descriptors, int(said[1]))


@dataclass(frozen=True)
class _Mount:
    candidate: Candidate
    katas: Sequence[str]
    grown: Grown


def _measured(mounts: Sequence[_Mount], rounds: int, say: Callable[[str], None]) -> list[Grown]:
    """All of them are mounted at the same time and asked in turns, so that they have the same of what else goes on."""
    for number in range(1, rounds + 1):
        say(f"growth: round {number} of {rounds}, {mounts[-1].grown.what}")
        with ExitStack() as mounted:
            for mount in random.sample(mounts, len(mounts)):
                mounted.enter_context(mount.candidate.mounted())
                mount.grown.start_s.append(mount.candidate.start_s)
                mount.grown.resident_bytes.append(_status_bytes(mount.candidate.pid, "VmRSS"))
            for _ in range(_TURNS):
                for mount in random.sample(mounts, len(mounts)):
                    mount.grown.read_s.append(_read(mount.candidate.root / _middle(mount.katas) / _FILE))
            for mount in mounts:
                _list(mount.candidate, len(mount.katas), mount.grown)
    return [mount.grown for mount in mounts]


def _read(path: Path) -> float:
    """Seconds, of the middle one of many."""
    took = []
    for _ in range(_READS):
        began = time.perf_counter()
        descriptor = os.open(path, os.O_RDONLY)
        os.read(descriptor, 4096)
        os.close(descriptor)
        took.append(time.perf_counter() - began)
    return median(took)


def _list(mount: Candidate, katas: int, grown: Grown) -> None:
    began = time.perf_counter()
    with os.scandir(mount.root) as entries:
        seen = {next(entries).name}
        grown.first_s.append(time.perf_counter() - began)
        seen |= {entry.name for entry in entries}
    grown.listed_s.append(time.perf_counter() - began)
    grown.listed_bytes.append(_status_bytes(mount.pid, "VmRSS"))
    if len(seen) != katas:
        raise RuntimeError(f"a listing of {katas} katas has {len(seen)}")


def _katafs(place: Path, volumes: str, *options: str, environment: Sequence[str] = ()) -> Candidate:
    command = ["env", *environment, PYTHON, "-m", "katafs", "mount", str(place / "katas")]
    return Candidate(KATAFS, place / "katas", [*command, "--volumes", volumes, *options], place)


def _named(scale: float) -> list[list[str]]:
    """The katas' ids, for each number of them."""
    counts = [max(2, round(katas * scale)) for katas in _KATAS]
    return [[f"{number * 0x9E3779B1 % 16**10:010X}" for number in range(count)] for count in counts]


def _middle(katas: Sequence[str]) -> str:
    """The one that is read."""
    return katas[len(katas) // 2]


def _status_bytes(pid: int, name: str) -> int:
    """A size that proc_pid_status(5) tells of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no {name} of process {pid}")
