"""What a tree of files is, as far as a program can tell: gathered by lstat, readlink and read, and compared with words.

Knows nothing of katafs.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

E = TypeVar("E")

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Facts:
    """One entry. `content` is a file's SHA-256, a symlink's target, a device's number, and empty for the rest."""

    kind: str
    mode: str
    uid: int
    gid: int
    mtime_ns: int
    links: int
    size_bytes: int
    blocks: int
    content: str


def facts_of(path: bytes) -> Facts:
    """The facts of one entry; symlinks aren't followed. Raises OSError."""
    status = os.lstat(path)
    return Facts(
        kind=stat.filemode(status.st_mode)[0],
        mode=oct(stat.S_IMODE(status.st_mode)),
        uid=status.st_uid,
        gid=status.st_gid,
        mtime_ns=status.st_mtime_ns,
        links=status.st_nlink,
        size_bytes=status.st_size,
        blocks=status.st_blocks,
        content=_content(path, status),
    )


def tree_facts(root: Path) -> dict[bytes, Facts]:
    """The facts of the directory and of all below it, by path relative to it. Raises OSError, as a walk must that
    isn't to overlook anything."""
    return {os.path.relpath(path, bytes(root)): facts_of(path) for path in every_path(root)}


def tree_inodes(root: Path) -> dict[bytes, int]:
    """The inode numbers of the directory and of all below it, by path relative to it."""
    return {os.path.relpath(path, bytes(root)): os.lstat(path).st_ino for path in every_path(root)}


def every_path(root: Path) -> Iterator[bytes]:
    """The directory and all below it. Raises OSError."""

    def stop(problem: OSError) -> None:
        raise problem

    for directory, subdirectories, files in os.walk(bytes(root), onerror=stop):
        yield directory
        links = [name for name in subdirectories if os.path.islink(os.path.join(directory, name))]
        yield from (os.path.join(directory, name) for name in [*links, *files])


def differences(wanted: Mapping[bytes, E], found: Mapping[bytes, E], limit: int = 20) -> str:
    """What is missing, surplus or different, a line each and `limit` lines at most; empty where nothing is."""
    lines = [f"missing: {path!r}" for path in sorted(wanted.keys() - found.keys())]
    lines += [f"surplus: {path!r}" for path in sorted(found.keys() - wanted.keys())]
    for path in sorted(wanted.keys() & found.keys()):
        if wanted[path] != found[path]:
            lines.append(f"{path!r}:\n    wanted {wanted[path]}\n    found  {found[path]}")
    more = [f"… {len(lines) - limit} more"] if len(lines) > limit else []
    return "\n".join(lines[:limit] + more)


def _content(path: bytes, status: os.stat_result) -> str:
    readers: dict[int, Callable[[], str]] = {
        stat.S_IFREG: lambda: _sha256(path),
        stat.S_IFLNK: lambda: repr(os.readlink(path)),
        stat.S_IFBLK: lambda: hex(status.st_rdev),
        stat.S_IFCHR: lambda: hex(status.st_rdev),
    }
    reader = readers.get(stat.S_IFMT(status.st_mode))
    return reader() if reader else ""


def _sha256(path: bytes) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
