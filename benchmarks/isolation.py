"""What the readers of one kata notice of what goes on in others: the rows of the table of `scripts/bench --isolation`.

A reader opens, reads and closes small files, one after the other; each of these takes a time, of which the median and
the 99th percentile are told.
"""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path

from benchmarks.candidates import BINDFS, EXT4, KATAFS, PYTHON, Candidate
from benchmarks.table import NOTHING_ELSE, Latencies
from tests.harness.directory_engine import DirectoryEngine
from tests.harness.ext4_disks import made_image, mounted_image
from tests.harness.stuck_disk import StuckDisk, stuck_disk

_FILES = 200
_CONTENT = b"x" * 1024
_WINDOW_S = 3.0
"""How long is read in one round at scale 1."""
_SYNCING_THREADS = 8
_WALKING_THREADS = 8
_DELAY_S = 0.01
_STUCK_S = 0.05
_SLOW, _READ, _BUSY = "AAAAAAAAAA", "BBBBBBBBBB", "CCCCCCCCCC"
_MAKING = 8
_OTHER_DISK_MB = 256

_STORM = """
import os, sys, threading
def sync(number):
    file = os.open(f"storm-{number}", os.O_RDWR | os.O_CREAT)
    while True:
        os.pwrite(file, bytes(4096), 0)
        os.fsync(file)
for number in range(int(sys.argv[1])):
    threading.Thread(target=sync, args=[number]).start()
print(flush=True)
"""
_WALK = """
import os, sys, threading
def walk():
    while True:
        for entry in os.scandir("."):
            entry.stat()
            open(entry.path).close()
for _ in range(int(sys.argv[1])):
    threading.Thread(target=walk).start()
print(flush=True)
"""

Load = Callable[[], AbstractContextManager[object]]


def measure(scratch: Path, rounds: int, scale: float, say: Callable[[str], None]) -> list[Latencies]:
    """All of it, below the directory. Raises RuntimeError where katafs fails, OSError where a file can't be read."""
    window_s = _WINDOW_S * scale
    return [
        *_on_directories(scratch, rounds, window_s, say),
        *_on_another_disk(scratch / "other", rounds, window_s, say),
        *_on_an_engine(scratch / "engine", rounds, window_s, say),
        *_watched(scratch / "watched", rounds, window_s, say),
    ]


def _on_directories(scratch: Path, rounds: int, window_s: float, say: Callable[[str], None]) -> list[Latencies]:
    quiet, storm, beside, stuck, slow, at_times = rows = (
        Latencies(NOTHING_ELSE),
        Latencies(f"{_SYNCING_THREADS} threads write and fsync in another kata"),
        Latencies("they do in its volume itself, not through the mount"),
        Latencies(f"another kata's disk is stuck, and {_WALKING_THREADS} threads wait for it"),
        Latencies(f"it takes {_DELAY_S * 1000:g} ms for each request, and {_WALKING_THREADS} threads walk through it"),
        Latencies(f"it is stuck for {_STUCK_S * 1000:g} ms, half of the time, while one thread does"),
    )
    with ExitStack() as ends:
        volumes = scratch / "volumes"
        volumes.mkdir()
        disk = ends.enter_context(stuck_disk(scratch / "disk", volumes / _SLOW))
        _fill(volumes / _SLOW)
        for name, command in (
            (EXT4, []),
            (BINDFS, ["bindfs", "-f", "--multithreaded", str(volumes), str(scratch / BINDFS)]),
            (KATAFS, _command(scratch, f"dir:{volumes}")),
        ):
            candidate = Candidate(name, scratch / name, command, scratch / f"{name}-log")
            with candidate.mounted():
                read, busy, disks = (_kata(candidate, kata) for kata in (_READ, _BUSY, _SLOW))
                _fill(read)
                loads: list[tuple[Latencies, Load]] = [(quiet, nullcontext), (storm, partial(_storm, busy))]
                if name != EXT4:
                    loads.append((beside, partial(_storm, volumes / _BUSY)))
                    loads.append((stuck, partial(_on_stuck_disk, disk, disks)))
                    loads.append((slow, partial(_on_slow_disk, disk, disks)))
                    loads.append((at_times, partial(_stuck_at_times, disk, disks)))
                _rounds(name, name, read, loads, rounds, window_s, say)
    return list(rows)


def _on_another_disk(scratch: Path, rounds: int, window_s: float, say: Callable[[str], None]) -> list[Latencies]:
    elsewhere, here, storm = rows = (
        Latencies(f"a kata on another disk, {NOTHING_ELSE}"),
        Latencies(f"one on the root volume's disk again, {NOTHING_ELSE}"),
        Latencies(f"{_SYNCING_THREADS} threads write and fsync in the one on another disk"),
    )
    volumes = scratch / "volumes"
    (volumes / _SLOW).mkdir(parents=True)
    made_image(scratch / "image", _OTHER_DISK_MB)
    with mounted_image(scratch / "image", volumes / _SLOW):
        katafs = Candidate(KATAFS, scratch / KATAFS, _command(scratch, f"dir:{volumes}"), scratch / "log")
        with katafs.mounted():
            far, near = (_kata(katafs, kata) for kata in (_SLOW, _READ))
            read: list[tuple[Path, list[tuple[Latencies, Load]]]] = [
                (far, [(elsewhere, nullcontext)]),
                (near, [(here, nullcontext), (storm, partial(_storm, far))]),
            ]
            for kata, loads in read:
                _fill(kata)
                _rounds("another disk", KATAFS, kata, loads, rounds, window_s, say)
    return list(rows)


def _watched(scratch: Path, rounds: int, window_s: float, say: Callable[[str], None]) -> list[Latencies]:
    never, before, meanwhile = rows = (
        Latencies(f"nobody has read the access log, and {NOTHING_ELSE}"),
        Latencies("somebody has read it, and does no more"),
        Latencies("somebody reads it"),
    )
    volumes = scratch / "volumes"
    volumes.mkdir(parents=True)
    with ExitStack() as ends:
        unread, read = (
            Candidate(KATAFS, scratch / name, _command(scratch, f"dir:{volumes}", name), scratch / f"{name}-log")
            for name in ("unread", "read")
        )
        for katafs in (unread, read):
            ends.enter_context(katafs.mounted())
        _fill(_kata(unread, _READ))
        for _ in range(rounds):
            _rounds("unread log", KATAFS, _kata(unread, _READ), [(never, nullcontext)], 1, window_s, say)
            loads: list[tuple[Latencies, Load]] = [(meanwhile, lambda: _log_read(read)), (before, nullcontext)]
            _rounds("read log", KATAFS, _kata(read, _READ), loads, 1, window_s, say)
    return list(rows)


def _on_an_engine(scratch: Path, rounds: int, window_s: float, say: Callable[[str], None]) -> list[Latencies]:
    quiet = Latencies(f"volumes of an engine, {NOTHING_ELSE}")
    silent = Latencies(f"the engine is asked to make {_MAKING} katas, and doesn't answer")
    scratch.mkdir()
    with DirectoryEngine(scratch) as engine:
        _fill(engine.make(_READ))
        command = ["env", f"DOCKER_HOST={engine.url}", *_command(scratch, "docker")]
        katafs = Candidate(KATAFS, scratch / KATAFS, command, scratch / "log")
        with katafs.mounted():
            loads: list[tuple[Latencies, Load]] = [(quiet, nullcontext), (silent, lambda: _silent(engine, katafs))]
            _rounds("engine", KATAFS, _kata(katafs, _READ), loads, rounds, window_s, say)
    return [quiet, silent]


def _command(scratch: Path, volumes: str, name: str = KATAFS) -> list[str]:
    return [PYTHON, "-m", "katafs", "mount", str(scratch / name), "--volumes", volumes, "--layout", "split"]


def _kata(candidate: Candidate, name: str) -> Path:
    # bindfs shows the volumes as they are, which are of both.
    kata = candidate.root / name if candidate.name == BINDFS else candidate.root / name[:2] / name[2:]
    kata.mkdir(parents=True, exist_ok=True)
    return kata


def _fill(kata: Path) -> None:
    for number in range(_FILES):
        (kata / str(number)).write_bytes(_CONTENT)


def _rounds(
    what: str,
    candidate: str,
    kata: Path,
    loads: list[tuple[Latencies, Load]],
    rounds: int,
    window_s: float,
    say: Callable[[str], None],
) -> None:
    for number in range(1, rounds + 1):
        say(f"isolation: {what}, round {number} of {rounds}")
        for row, load in loads:
            with load():
                row.add(candidate, _read(kata, window_s))


def _read(kata: Path, window_s: float) -> list[float]:
    """The seconds that each reading took."""
    files = [str(kata / str(number)) for number in range(_FILES)]
    end_s = time.perf_counter() + window_s
    took: list[float] = []
    while time.perf_counter() < end_s:
        for path in files:
            start_s = time.perf_counter()
            with open(path, "rb", buffering=0) as file:
                file.read(4096)
            took.append(time.perf_counter() - start_s)
    return took


# What else goes on


@contextmanager
def _program(argv: list[str], directory: Path) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", *argv], cwd=directory, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()  # it is at it by then, and its start isn't what others notice
        yield
    finally:
        process.kill()
        process.wait(60)


def _storm(kata: Path) -> AbstractContextManager[None]:
    return _program([_STORM, str(_SYNCING_THREADS)], kata)


def _walk(kata: Path, threads: int) -> AbstractContextManager[None]:
    return _program([_WALK, str(threads)], kata)


@contextmanager
def _on_stuck_disk(disk: StuckDisk, kata: Path) -> Iterator[None]:
    with _walk(kata, _WALKING_THREADS), disk.stuck():
        yield


@contextmanager
def _on_slow_disk(disk: StuckDisk, kata: Path) -> Iterator[None]:
    with _walk(kata, _WALKING_THREADS), disk.slow(_DELAY_S):
        yield


@contextmanager
def _stuck_at_times(disk: StuckDisk, kata: Path) -> Iterator[None]:
    ending = threading.Event()

    def stick() -> None:
        while not ending.wait(_STUCK_S):
            with disk.stuck():
                ending.wait(_STUCK_S)

    thread = threading.Thread(target=stick)
    with _walk(kata, threads=1):
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()


@contextmanager
def _log_read(katafs: Candidate) -> Iterator[None]:
    process = subprocess.Popen(["cat", katafs.root / ".katafs" / "accesslog"], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait(60)


@contextmanager
def _silent(engine: DirectoryEngine, katafs: Candidate) -> Iterator[None]:
    def make(number: int) -> None:
        with contextlib.suppress(OSError):  # what it isn't told within its time is EIO
            (katafs.root / f"{number:02X}" / f"{time.time_ns() % 16**8:08X}").mkdir(parents=True)

    threads = [threading.Thread(target=make, args=[number]) for number in range(_MAKING)]
    with engine.slow():
        for thread in threads:
            thread.start()
        yield
    for thread in threads:
        thread.join()
