"""A difference between two tags as the text of a patch, in the form of `diff -u` with git's lines about names. Pure."""

import json
from collections.abc import Iterator, Sequence

from katafs.storers.diff import FileDiff, Status
from katafs.storers.line_diff import Change, Line

_CONTEXT_LINES = 3
_SIGNS = {Change.SAME: " ", Change.ADDED: "+", Change.DELETED: "-"}


def patch_lines(differences: Sequence[FileDiff]) -> Iterator[str]:
    """The lines of the patch, without their line feeds."""
    for diff in differences:
        yield from _names(diff)
        if diff.binary:
            yield "Binary files differ"
        for start, end in _hunks(diff.lines):
            yield from _hunk(diff.lines, start, end)


def _names(diff: FileDiff) -> Iterator[str]:
    old, new = (_quoted(name) for name in (diff.old_name, diff.new_name))
    yield f"diff {old or new} {new or old}"
    if diff.status in (Status.RENAMED, Status.COPIED):
        word = "rename" if diff.status is Status.RENAMED else "copy"
        yield f"{word} from {old}"
        yield f"{word} to {new}"
    if diff.lines:
        yield f"--- {old or '/dev/null'}"
        yield f"+++ {new or '/dev/null'}"


def _quoted(name: str | None) -> str | None:
    """A name that takes one line, however it was made."""
    return name if name is None or name.isprintable() else json.dumps(name)


def _hunks(lines: Sequence[Line]) -> Iterator[tuple[int, int]]:
    """Where the hunks begin and end in the lines: changes, with lines around that are the same."""
    start = end = -1
    for index, line in enumerate(lines):
        if line.change is Change.SAME:
            continue
        if start < 0:
            start = max(0, index - _CONTEXT_LINES)
        elif index - _CONTEXT_LINES > end:
            yield start, end
            start = index - _CONTEXT_LINES
        end = min(len(lines), index + 1 + _CONTEXT_LINES)
    if start >= 0:
        yield start, end


def _hunk(lines: Sequence[Line], start: int, end: int) -> Iterator[str]:
    old, new = _place(lines, start, end, Change.ADDED), _place(lines, start, end, Change.DELETED)
    yield f"@@ -{old} +{new} @@"
    for line in lines[start:end]:
        yield _SIGNS[line.change] + line.text


def _place(lines: Sequence[Line], start: int, end: int, not_there: Change) -> str:
    """A hunk's first line and its length in the old or the new file; the line before where it has no length, as POSIX
    (diff -u) has it."""
    before = sum(line.change is not not_there for line in lines[:start])
    length = sum(line.change is not not_there for line in lines[start:end])
    return f"{before + 1 if length else before},{length}"
