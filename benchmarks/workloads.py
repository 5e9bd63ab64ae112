"""What is timed, each the same on every candidate. Knows neither rounds nor tables.

Directories are new for each run and nothing is deleted while files are being made: ext4 passes over inodes that were
deleted a moment ago, and every candidate's creates then cost several times as much. Only `Large` deletes its file after
a run: it comes last, and it is one inode.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.candidates import Candidate
from benchmarks.files import Workload, fill, make_trees, read_all, timed, write
from benchmarks.mixed import Mixed

_BLOCK_BYTES = 1 << 20
_COMMITS = 10
_AVATAR_FILES = 5
_GIT_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "lion",
    "GIT_AUTHOR_EMAIL": "lion@cyber-dojo.org",
    "GIT_COMMITTER_NAME": "lion",
    "GIT_COMMITTER_EMAIL": "lion@cyber-dojo.org",
}


class Create:
    """Files made in one directory."""

    name = "create"

    def __init__(self, files: int) -> None:
        self.rows: tuple[str, ...] = (f"create {files:,} files of 1 KB",)
        self._files = files

    def prepare(self, candidate: Candidate) -> None:
        """Needs nothing."""

    def run(self, candidate: Candidate) -> tuple[float, ...]:
        directory = candidate.new_kata()
        paths = [f"{directory}/file-{number}" for number in range(self._files)]
        content = os.urandom(1024)
        with timed() as seconds:
            for path in paths:
                write(path, content)
        return tuple(seconds)


class Find:
    """A walk that asks for the attributes of everything."""

    name = "find"

    def __init__(self, directories: int, files: int) -> None:
        """So many directories, in groups of 20 to a kata, with so many files in each."""
        self.rows: tuple[str, ...] = (
            f"`find -ls` of {directories * files:,} files in {directories:,} directories, cold",
            "`rsync -an` of the same, cold",
        )
        self._directories = directories
        self._files = files

    def prepare(self, candidate: Candidate) -> None:
        make_trees(candidate, self._directories, self._files, b"")

    def run(self, candidate: Candidate) -> tuple[float, ...]:
        empty = candidate.new_copy()
        empty.mkdir()
        found = self._listed(candidate, "find", str(candidate.root), "-ls")
        candidate.chill()
        compared = self._listed(candidate, "rsync", "-an", "--out-format=%n", f"{candidate.root}/", f"{empty}/")
        return found, compared

    def _listed(self, candidate: Candidate, *command: str) -> float:
        listing = candidate.new_copy()
        with listing.open("wb") as output, timed() as seconds:
            subprocess.run(command, stdout=output, check=True)
        if listing.read_bytes().count(b"/file-") != self._directories * self._files:
            raise RuntimeError(f"{command[0]} on {candidate.name} didn't show the files there are")
        return seconds[0]


class Read:
    """Small files opened, read and closed, twice in a row."""

    name = "read"

    def __init__(self, files: int) -> None:
        self.rows: tuple[str, ...] = tuple(
            f"open, read and close {files:,} files, {state}" for state in ("cold", "warm")
        )
        self._files = files
        self._paths: dict[str, list[str]] = {}

    def prepare(self, candidate: Candidate) -> None:
        directories = self._files // 50
        self._paths[candidate.name] = make_trees(candidate, directories, 50, os.urandom(1024))

    def run(self, candidate: Candidate) -> tuple[float, ...]:
        paths = self._paths[candidate.name]
        with timed() as cold:
            read_all(paths)
        with timed() as warm:
            read_all(paths)
        return *cold, *warm


class Git:
    """An avatar's repository, as the server's code makes it."""

    name = "git"

    def __init__(self) -> None:
        self.rows: tuple[str, ...] = (f"`git init`, then {_COMMITS} times add, commit, tag",)

    def prepare(self, candidate: Candidate) -> None:
        """Needs nothing."""

    def run(self, candidate: Candidate) -> tuple[float, ...]:
        avatar = candidate.new_kata() / "lion"
        with timed() as seconds:
            avatar.mkdir()
            _git(avatar, "init", "--quiet", "--initial-branch=master")
            for number in range(_COMMITS):
                for each in range(_AVATAR_FILES):
                    write(f"{avatar}/file-{each}", f"{number} {each}\n".encode() * 100)
                _git(avatar, "add", ".")
                _git(avatar, "commit", "--quiet", "--message", str(number))
                _git(avatar, "tag", "--message", str(number), str(number), "HEAD")
        return tuple(seconds)


class Rsync:
    """A first copy to ext4, and a second one that finds nothing to do."""

    name = "rsync"

    def __init__(self, files: int) -> None:
        self.rows: tuple[str, ...] = (
            f"`rsync -a` of {files:,} files of 1 KB to ext4, cold",
            "the same `rsync -a` again",
        )
        self._files = files
        self._source: dict[str, Path] = {}

    def prepare(self, candidate: Candidate) -> None:
        kata = candidate.new_kata()
        fill(kata, range(self._files // 50), 50, os.urandom(1024))
        self._source[candidate.name] = kata

    def run(self, candidate: Candidate) -> tuple[float, ...]:
        command = ["rsync", "-a", f"{self._source[candidate.name]}/", f"{candidate.new_copy()}/"]
        with timed() as out:
            subprocess.run(command, check=True)
        with timed() as again:
            subprocess.run(command, check=True)
        return *out, *again


class Large:
    """One big file."""

    name = "large"

    def __init__(self, blocks: int) -> None:
        """So many MB."""
        self.rows: tuple[str, ...] = (f"write {blocks} MB and fsync", f"read {blocks} MB, cold")
        self._blocks = blocks

    def prepare(self, candidate: Candidate) -> None:
        """Needs nothing."""

    def run(self, candidate: Candidate) -> tuple[float, ...]:
        path = candidate.new_kata() / "large"
        block = os.urandom(_BLOCK_BYTES)
        with timed() as written, path.open("wb", buffering=0) as file:
            for _ in range(self._blocks):
                file.write(block)
            os.fsync(file.fileno())
        candidate.chill()
        buffer = bytearray(_BLOCK_BYTES)
        size = 0
        with timed() as read, path.open("rb", buffering=0) as file:
            while got := file.readinto(buffer):
                size += got
        if size != self._blocks * _BLOCK_BYTES:
            raise RuntimeError(f"{candidate.name} gave {size} bytes back")
        path.unlink()
        return *written, *read


def workloads(scale: float) -> Sequence[Workload]:
    """All of them, in the order in which they are run; `scale` 1 is their full size."""
    directories, small_files = max(20, round(400 * scale)), max(50, round(100 * scale) * 50)
    return (
        Create(small_files),
        Find(directories, 50),
        Read(small_files),
        Git(),
        Rsync(small_files),
        Mixed(max(1, round(100 * scale))),
        Large(max(1, round(512 * scale))),
    )


def _git(avatar: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=avatar, env={**os.environ, **_GIT_ENVIRONMENT}, check=True)
