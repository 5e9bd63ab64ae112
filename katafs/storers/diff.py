"""What changed between two sets of files, in a form that says the same whoever found it, git or we.

Compares as `git diff --ignore-space-at-eol --find-copies-harder` does: white space at the ends of lines, the last
line's missing newline included, makes no difference.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from katafs.storers.line_diff import Line, line_difference
from katafs.storers.similarity import Pairing, is_binary, pairings


class Status(enum.Enum):
    """What happened to a file."""

    ADDED = "added"
    DELETED = "deleted"
    CHANGED = "changed"
    RENAMED = "renamed"
    COPIED = "copied"


@dataclass(frozen=True)
class FileDiff:
    """One file's difference."""

    old_name: str | None
    """None for an added file."""
    new_name: str | None
    """None for a deleted file."""
    status: Status
    lines: tuple[Line, ...]
    """Every line of the file in the new order, the deleted ones before what took their place; empty where no line
    differs (a plain rename) and where the file isn't text."""
    binary: bool = False
    """Whether it isn't text, so that it only shows that it differs."""


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[FileDiff]:
    """The files that differ, sorted by name in bytes."""
    # "replace": JSON can have half a surrogate pair, which UTF-8 can't.
    before = {name.encode(errors="replace"): content.encode(errors="replace") for name, content in old.items()}
    after = {name.encode(errors="replace"): content.encode(errors="replace") for name, content in new.items()}
    found = (_difference(pairing, before, after) for pairing in pairings(before, after))
    return [difference for difference in found if difference is not None]


def _difference(pairing: Pairing, before: Mapping[bytes, bytes], after: Mapping[bytes, bytes]) -> FileDiff | None:
    source, target, copied = pairing
    status = _status(source, target, copied)
    one = b"" if source is None else before[source]
    two = b"" if target is None else after[target]
    binary = one != two and (is_binary(one) or is_binary(two))
    lines = () if binary else line_difference(one, two)
    if status is Status.CHANGED and not lines and not binary:
        return None
    return FileDiff(_text(source), _text(target), status, lines, binary)


def _status(source: bytes | None, target: bytes | None, copied: bool) -> Status:
    if source is None:
        return Status.ADDED
    if target is None:
        return Status.DELETED
    if source == target:
        return Status.CHANGED
    return Status.COPIED if copied else Status.RENAMED


def _text(name: bytes | None) -> str | None:
    return None if name is None else name.decode()
