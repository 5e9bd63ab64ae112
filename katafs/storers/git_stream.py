"""A whole history as one stream for `git fast-import` (git-fast-import(1)): for each test run a commit and a tag.

    blob / mark :1 / data 12 / …          each content once, however many files and tags have it
    commit refs/heads/master / … / deleteall / M 100644 :1 "sandbox/hiker.c"
    tag 3 / from :9 / tagger … / data 2 / 3

Pure: it must not know where tags come from, and runs nothing.
"""

import hashlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass

from katafs.errors import BadFileName
from katafs.storers.checks import checked_name


@dataclass(frozen=True)
class Run:
    """A test run, or the start, as git keeps it."""

    number: int
    time_s: int
    """Seconds since 1970."""
    manifest: bytes
    increments: bytes
    sandbox: Mapping[str, bytes]
    """Names and contents. A name that git can't have is left out: it is in the manifest all the same."""


class GitStream:
    """Writes runs, in the order of their numbers, as the history of one author."""

    def __init__(self, author: tuple[str, str]) -> None:
        self._author = f"{author[0]} <{author[1]}>"
        self._mark = 0
        self._blobs: dict[bytes, int] = {}
        """Marks of the contents that have been written, by their digests."""

    def of(self, run: Run) -> Iterator[bytes]:
        """The part of the stream that is this run."""
        contents = {"increments.json": run.increments, "manifest.json": run.manifest}
        contents |= {f"sandbox/{name}": content for name, content in run.sandbox.items() if _can_be_kept(name)}
        entries = []
        for path, content in contents.items():
            mark = yield from self._blob(content)
            mode = b"100755" if path.startswith("sandbox/") and path.endswith(".sh") else b"100644"
            entries.append(b"M %s :%d %s\n" % (mode, mark, _quoted(path)))
        who = f"{self._author} {run.time_s} +0000\n".encode()
        message = _data(b"%d\n" % run.number)
        self._mark += 1
        yield b"commit refs/heads/master\nmark :%d\nauthor %scommitter %s%s" % (self._mark, who, who, message)
        yield b"deleteall\n" + b"".join(entries)
        yield b"tag %d\nfrom :%d\ntagger %s%s" % (run.number, self._mark, who, message)

    def _blob(self, content: bytes) -> Generator[bytes, None, int]:
        """The content, if it is new, and its mark as the value of the iteration."""
        digest = hashlib.sha256(content).digest()
        if digest not in self._blobs:
            self._mark += 1
            self._blobs[digest] = self._mark
            yield b"blob\nmark :%d\n" % self._mark
            yield _data(content)
        return self._blobs[digest]


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _quoted(path: str) -> bytes:
    escaped = path.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"'


def _can_be_kept(name: str) -> bool:
    try:
        checked_name(name)
    except BadFileName:
        return False
    return True
