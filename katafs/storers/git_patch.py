"""Reads the patch that `git diff` prints with whole files as context. Pure.

The form is git's (git-diff(1), GENERATING PATCH TEXT WITH -P), with `core.quotePath=false`.
"""

import re
from collections.abc import Iterator

from katafs.storers.diff import FileDiff, Status
from katafs.storers.line_diff import Change, Line, text_of

_HEADER = b"diff --git "
_STATUSES = {
    b"new file mode ": Status.ADDED,
    b"deleted file mode ": Status.DELETED,
    b"rename from ": Status.RENAMED,
    b"copy from ": Status.COPIED,
}
_CHANGES = {b" ": Change.SAME, b"+": Change.ADDED, b"-": Change.DELETED}
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
_ESCAPED = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def file_diffs(patch: bytes, below: str) -> list[FileDiff]:
    """The differences in a patch, names without the directory `below`, which ends in a slash; sorted by name."""
    found = (_file_diff(part, below) for part in _parts(patch))
    shown = [diff for diff in found if diff.lines or diff.binary or diff.status is not Status.CHANGED]
    return sorted(shown, key=lambda diff: (diff.new_name or diff.old_name or "").encode())


def _parts(patch: bytes) -> Iterator[list[bytes]]:
    """The lines of each file. No line of a file's content begins as a header does: a sign comes first."""
    part: list[bytes] = []
    for line in patch.split(b"\n")[:-1]:
        if line.startswith(_HEADER) and part:
            yield part
            part = []
        part.append(line)
    if part:
        yield part


def _file_diff(part: list[bytes], below: str) -> FileDiff:
    start = next((number for number, line in enumerate(part) if line.startswith(b"@@ ")), len(part))
    head = part[1:start]
    status, old, new = Status.CHANGED, _same_name(part[0]), _same_name(part[0])
    for line in head:
        for sign, meaning in _STATUSES.items():
            if line.startswith(sign):
                status = meaning
        if line.startswith((b"rename from ", b"copy from ")):
            old = _unquoted(line.split(b" from ", 1)[1])
        if line.startswith((b"rename to ", b"copy to ")):
            new = _unquoted(line.split(b" to ", 1)[1])
    return FileDiff(
        None if status is Status.ADDED else old.decode(errors="replace").removeprefix(below),
        None if status is Status.DELETED else new.decode(errors="replace").removeprefix(below),
        status,
        tuple(_lines(part[start + 1 :])),
        binary=any(line.startswith(b"Binary files ") for line in head),
    )


def _same_name(header: bytes) -> bytes:
    """The name in `diff --git a/NAME b/NAME`; of two different names half of it, which nobody looks at."""
    both = header.removeprefix(_HEADER)
    return _unquoted(both[: len(both) // 2]).removeprefix(b"a/")


def _unquoted(name: bytes) -> bytes:
    if not name.startswith(b'"'):
        return name
    return _ESCAPE.sub(_unescaped, name[1:-1])


def _unescaped(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    return bytes([int(code, 8)]) if len(code) == 3 else _ESCAPED.get(code, code)


def _lines(body: list[bytes]) -> Iterator[Line]:
    """The lines of the one part that a patch has where the context is the whole file."""
    for line in body:
        change = _CHANGES.get(line[:1])
        if change is not None:  # else it says that there is no newline at the end
            yield Line(change, text_of(line[1:]))
