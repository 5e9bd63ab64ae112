"""What is below a directory, as far as two trees that had the same operations must agree."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.system.facts import Facts, differences, every_path, facts_of

SET_BEFORE_NS = 1_262_304_000 * 10**9
"""Every time that a client sets lies before 2010, and the clock's own after it: so those that were set are known."""

_DIRECTORIES_OF_VOLUMES = 2
"""The mount's top and the outer directories: how many links those have is the mount's own affair."""


@dataclass(frozen=True)
class Entry:
    """One name. `first` is the first name, in order, that the same inode has."""

    facts: Facts
    xattrs: Mapping[str, bytes]
    first: bytes


def entries(root: Path, of_volumes: bool = False) -> dict[bytes, Entry]:
    """All that is in the directory, and itself, by relative path; `of_volumes` is one whose entries' entries are katas.
    Raises OSError."""
    found: dict[bytes, Entry] = {}
    firsts: dict[int, bytes] = {}
    for path in sorted(every_path(root)):
        relative = os.path.relpath(path, bytes(root))
        first = firsts.setdefault(os.lstat(path).st_ino, relative)
        xattrs = {name: os.getxattr(path, name, follow_symlinks=False) for name in _xattr_names(path)}
        found[relative] = Entry(_comparable(relative, facts_of(path), of_volumes), xattrs, first)
    return found


def difference(wanted: Mapping[bytes, object], found: Mapping[bytes, object]) -> str:
    """What is different, in one line; empty where nothing is."""
    return " ".join(differences(wanted, found, limit=3).split())


def _xattr_names(path: bytes) -> list[str]:
    return sorted(os.listxattr(path, follow_symlinks=False))


def _comparable(relative: bytes, facts: Facts, of_volumes: bool) -> Facts:
    mtime_ns = facts.mtime_ns if facts.mtime_ns < SET_BEFORE_NS else 0
    facts = replace(facts, mtime_ns=mtime_ns, blocks=0)
    if facts.kind == "d":
        depth = 0 if relative == b"." else relative.count(b"/") + 1
        above = of_volumes and depth < _DIRECTORIES_OF_VOLUMES
        return replace(facts, size_bytes=0, links=0 if above else facts.links)
    if relative.endswith(b".git/index"):
        return replace(facts, content="")  # it has inode numbers and times in it
    return facts
