"""The numbered tags among a `.git`'s refs: loose files below refs/tags and lines of packed-refs.

Must not know objects. Neither HEAD, symbolic refs nor config is read.
"""

import re

from katafs.errors import CorruptKata
from katafs.rooted import names
from katafs.untrusted import files

_NUMBER = re.compile(rb"0|[1-9][0-9]{0,8}")
_PACKED = re.compile(rb"^[^ \n]+ refs/tags/(0|[1-9][0-9]{0,8})$", re.MULTILINE)
_SHA = re.compile(rb"[0-9a-f]{40}")
_LOOSE_LIMIT_BYTES = 4 << 10
_PACKED_LIMIT_BYTES = 2 << 20
"""Twice what all tags that are shown take. It is read anew for each of them."""


def tag_numbers(git: int) -> list[int]:
    """The numbers that tags have, sorted. The loose are listed first, since packing them adds before it removes.

    Raises CorruptKata where refs or refs/tags is no directory, OSError(EFBIG) for a packed-refs above 2 MiB."""
    try:
        with files.directory(git, b"refs", b"tags") as directory:
            found = {int(name) for name in names.listing(directory) if _NUMBER.fullmatch(name)}
    except FileNotFoundError:
        found = set()
    return sorted(found.union(int(number) for number in _PACKED.findall(_packed_refs(git))))


def tag_sha(git: int, number: int) -> bytes:
    """The sha a tag's ref holds, in hexadecimal. Raises FileNotFoundError where there is no such tag, CorruptKata."""
    try:
        with files.directory(git, b"refs", b"tags") as directory:
            sha = files.read_file(directory, b"%d" % number, _LOOSE_LIMIT_BYTES).rstrip(b"\n")
    except FileNotFoundError:
        content = _packed_refs(git)
        end = content.find(b" refs/tags/%d\n" % number)
        if end < 0:
            raise
        sha = content[content.rfind(b"\n", 0, end) + 1 : end]
    if not _SHA.fullmatch(sha):
        raise CorruptKata(f"refs/tags/{number} holds no sha")
    return sha


def _packed_refs(git: int) -> bytes:
    """packed-refs, every line of it ended."""
    try:
        return files.read_file(git, b"packed-refs", _PACKED_LIMIT_BYTES) + b"\n"
    except FileNotFoundError:
        return b""
