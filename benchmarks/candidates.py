"""What is compared: ext4 itself, and the daemons that mount a part of it. Owns their mounts; knows no workload."""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

EXT4, BINDFS, KATAFS = "ext4", "bindfs", "katafs"
PYTHON = os.environ.get("KATAFS_PYTHON", sys.executable)
"""What katafs's daemons run on, which must have katafs installed."""

_DEADLINE_S = 60.0
_MOUNT_TABLE = Path("/proc/self/mountinfo")
_DROP_CACHES = Path("/proc/sys/vm/drop_caches")


@dataclass(frozen=True)
class CPU:
    """Processor time in seconds."""

    user_s: float
    system_s: float

    def __add__(self, other: "CPU") -> "CPU":
        return CPU(self.user_s + other.user_s, self.system_s + other.system_s)

    def __sub__(self, other: "CPU") -> "CPU":
        return CPU(self.user_s - other.user_s, self.system_s - other.system_s)


class Candidate:
    """One way to reach a directory of katas in the split layout."""

    def __init__(self, name: str, root: Path, command: Sequence[str], directory: Path, *, stays: bool = False) -> None:
        """`command` mounts `root` in the foreground, and is empty where there is nothing to mount. `directory`, on
        ext4, takes its log and what workloads copy out of it. One that `stays` is made cold without a new daemon."""
        self.name = name
        self.root = root
        self.connections: set[int] = set()
        """The numbers of its FUSE connections up to now: its mounts' minor device numbers."""
        self.used = CPU(0.0, 0.0)
        """What its daemons have used up to now, from their first answers on."""
        self._used_at_start = CPU(0.0, 0.0)
        self.start_s = 0.0
        """How long it took the last time until it answered."""
        self._command = command
        self._directory = directory
        self._stays = stays
        self._daemon: subprocess.Popen[bytes] | None = None
        self._katas = 0
        self._copies = 0
        root.mkdir(parents=True)
        directory.mkdir(parents=True, exist_ok=True)

    def timing(self, file: Path) -> None:
        """From now on its daemon is katafs with its operations timed, which leaves their seconds in the file."""
        self._command = [PYTHON, "-m", "benchmarks.timed_daemon", str(file), *self._command[3:]]

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        """Cold and answering: a new mount, and no name or inode in the kernel's caches. Always unmounts."""
        self._start()
        try:
            _forget_names()
            yield
        finally:
            self._stop()

    @property
    def pid(self) -> int:
        """The daemon that is mounted now."""
        assert self._daemon is not None
        return self._daemon.pid

    def log(self) -> str:
        """What the last daemon has said."""
        return (self._directory / "log").read_text(errors="replace")

    def chill(self) -> None:
        """Make it cold again: in the place of its mount comes a new one, unless it stays."""
        if not self._stays:
            self._stop()
            self._start()
        _forget_names()

    def new_kata(self) -> Path:
        """A kata's directory that nothing was ever made in. Every candidate gets the same ones in the same order."""
        self._katas += 1
        kata_id = hashlib.sha1(str(self._katas).encode(), usedforsecurity=False).hexdigest()[:10].upper()
        kata = self.root / kata_id[:2] / kata_id[2:]
        kata.mkdir(parents=True)
        return kata

    def new_copy(self) -> Path:
        """A directory on ext4 that is still to be made."""
        self._copies += 1
        return self._directory / f"copy-{self._copies}"

    def _start(self) -> None:
        if not self._command:
            return
        began = time.perf_counter()
        log = self._directory / "log"
        with log.open("wb") as output:
            # Its own session: an interrupt from the terminal is for the benchmark, which then unmounts.
            self._daemon = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        try:
            self._wait(lambda: _connection_at(self.root) is not None, "mount")
            self._wait(self._answers, "answer")
            self.start_s = time.perf_counter() - began
        except BaseException:
            self._stop()
            raise
        connection = _connection_at(self.root)
        assert connection is not None
        self.connections.add(connection)
        self._used_at_start = self._used_by_daemon()

    def _used_by_daemon(self) -> "CPU":
        assert self._daemon is not None
        fields = Path(f"/proc/{self._daemon.pid}/stat").read_text().rpartition(")")[2].split()
        return CPU(*(int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in fields[11:13]))

    def _answers(self) -> bool:
        stat = ["stat", "--file-system", str(self.root)]
        return subprocess.run(stat, capture_output=True, timeout=_DEADLINE_S, check=False).returncode == 0

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _DEADLINE_S
        while not condition():
            assert self._daemon is not None
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} doesn't {what}:\n{self.log()}")
            time.sleep(0.01)

    def _stop(self) -> None:
        if self._daemon is None:
            return
        if self._daemon.poll() is None:
            self.used += self._used_by_daemon() - self._used_at_start
        daemon, self._daemon = self._daemon, None
        try:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(_DEADLINE_S)
        except subprocess.TimeoutExpired:
            _tear_off(self.root)
            daemon.kill()
            daemon.wait(_DEADLINE_S)
            raise RuntimeError(f"{self.name} didn't end within {_DEADLINE_S:g} s of SIGTERM") from None
        finally:
            _tear_off(self.root)


def candidates(base: Path, *, stay: bool = False) -> list[Candidate]:
    """The three of them, empty, each in a place of its own below a directory that is to be made."""
    bindfs_backing, katafs_volumes = base / "bindfs" / "backing", base / "katafs" / "volumes"
    bindfs_backing.mkdir(parents=True)
    katafs_volumes.mkdir(parents=True)
    bindfs_root, katafs_root = base / "bindfs" / "katas", base / "katafs" / "katas"
    bindfs = ["bindfs", "-f", "--multithreaded", str(bindfs_backing), str(bindfs_root)]
    katafs = [PYTHON, "-m", "katafs", "mount", str(katafs_root), "--volumes", f"dir:{katafs_volumes}"]
    return [
        Candidate(EXT4, base / "ext4" / "katas", [], base / "ext4", stays=stay),
        Candidate(BINDFS, bindfs_root, bindfs, base / "bindfs", stays=stay),
        Candidate(KATAFS, katafs_root, [*katafs, "--layout", "split"], base / "katafs", stays=stay),
    ]


def file_system_of(path: Path) -> str:
    """The type of the file system that a path is on, or "" where the mount table doesn't have its device."""
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for fields, rest in _mount_table():
        if fields[2] == wanted:
            return rest[0]
    return ""


def is_mounted_below(path: Path) -> bool:
    """Whether something is mounted on the path or in it, so that to delete it would delete that as well."""
    return any(fields[4] == str(path) or fields[4].startswith(f"{path}/") for fields, _ in _mount_table())


def _mount_table() -> list[tuple[list[str], list[str]]]:
    """The fields of each line before and after the dash (proc_pid_mountinfo(5))."""
    lines = [line.partition(" - ") for line in _MOUNT_TABLE.read_text(errors="surrogateescape").splitlines()]
    return [(before.split(), after.split()) for before, _, after in lines]


def _connection_at(root: Path) -> int | None:
    minors = [int(fields[2].partition(":")[2]) for fields, _ in _mount_table() if fields[4] == str(root)]
    return minors[-1] if minors else None


def _tear_off(root: Path) -> None:
    """Take away a mount whatever its daemon does. Never touches the path itself, since that would hang as well."""
    while (connection := _connection_at(root)) is not None:
        with contextlib.suppress(FileNotFoundError):
            Path(f"/sys/fs/fuse/connections/{connection}/abort").write_text("1")
        subprocess.run(["umount", "--lazy", "--no-canonicalize", str(root)], check=True, timeout=_DEADLINE_S)


def _forget_names() -> None:
    """Write out what is dirty, then drop names and inodes but not blocks (proc_sys_vm(5), drop_caches)."""
    os.sync()
    _DROP_CACHES.write_text("2")
