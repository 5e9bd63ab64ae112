"""Programs that look at a tree again and again while something else goes on, and compare what they see each time."""

import fcntl
import mmap
import os
import subprocess
import threading
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from tests.harness.programs import in_child
from tests.system.facts import Facts, differences, facts_of


class Repeated:
    """Makes a call over and over in a thread of its own, until it fails or the block ends; which raises its failure."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.rounds = 0
        self._call = call
        self._ending = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                self._call()
                self.rounds += 1
        except BaseException as failure:  # noqa: BLE001  # raised where the block ends
            self._failure = failure

    @property
    def failed(self) -> bool:
        """Whether it has ended with a failure."""
        return self._failure is not None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(120)
        assert not self._thread.is_alive(), "a reader hangs"
        if self._failure is not None:
            raise self._failure


def archive(directory: Path) -> bytes:
    """The directory as tar has it. Raises AssertionError where tar complains of anything."""
    argv = ["tar", "--sort=name", "--numeric-owner", "-cf", "-", "-C", str(directory.parent), directory.name]
    done = subprocess.run(argv, capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()
    return done.stdout


def listing(directory: Path) -> str:
    """All names below the directory, as ls has them. Raises AssertionError where ls complains of anything."""
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(["ls", "-RA"], cwd=directory, capture_output=True, timeout=120, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()
    return done.stdout.decode()


def facts_but(root: Path, left_out: Collection[str]) -> dict[bytes, Facts]:
    """The facts of all that is in a directory, but for these directories in it, which nobody looks into, and for what
    is the file system's own affair. Raises OSError."""
    found: dict[bytes, Facts] = {}
    below = [b""]
    for directory in below:
        for entry in os.scandir(os.path.join(bytes(root), directory)):
            path = os.path.join(directory, entry.name)
            if os.fsdecode(path) in left_out or path == b".katafs-lock":
                continue
            facts = facts_of(entry.path)
            found[path] = replace(facts, blocks=0, size_bytes=0 if facts.kind == "d" else facts.size_bytes, links=0)
            if facts.kind == "d":
                below.append(path)
    return found


def same_facts(wanted: dict[bytes, Facts], found: dict[bytes, Facts]) -> None:
    """Raises AssertionError with what is different."""
    different = differences(wanted, found)
    assert different == "", different


@dataclass
class Held:
    """A file that is open, mapped and locked the whole time."""

    path: Path
    content: bytes
    descriptor: int
    number: int
    pages: mmap.mmap

    @classmethod
    def opened(cls, path: Path, ends: ExitStack) -> "Held":
        """Open, map and lock it, until the stack ends."""
        descriptor = os.open(path, os.O_RDONLY)
        ends.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        pages = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
        ends.callback(pages.close)
        return cls(path, path.read_bytes(), descriptor, os.fstat(descriptor).st_ino, pages)

    def look(self) -> None:
        """Raises AssertionError where anything isn't as it was, OSError where it can't be used."""
        assert os.pread(self.descriptor, 1 << 20, 0) == self.content
        assert self.pages[:] == self.content
        assert self.path.read_bytes() == self.content
        assert os.fstat(self.descriptor).st_ino == self.path.stat().st_ino == self.number

    def is_locked(self) -> bool:
        """Whether another process meets the lock."""
        return in_child(_meets_lock, self.path)


def _meets_lock(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
