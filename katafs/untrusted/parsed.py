"""What a tag, a commit and a tree say, read by dulwich from the objects' bytes.

Must not know where objects come from. Nothing here follows one object to the next.
"""

import contextlib
import errno
import stat
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from dulwich.errors import FileFormatException
from dulwich.objects import Commit, ShaFile, Tag, Tree

from katafs.errors import CorruptKata
from katafs.rooted.answer import answer

COMMIT, TREE, BLOB, TAG = 1, 2, 3, 4
"""The types of objects by git's own numbers."""

_LIMIT_BYTES = 1 << 20
"""A tree of an avatar's top has some 5 entries; as Python's objects it is many times larger than its bytes."""

_LATEST_S = (1 << 34) - 1
"""The year 2514, at about the end of what ext4 can hold. git takes any number, a file's time doesn't."""


Kind = TypeVar("Kind", bound=ShaFile)


class Target(NamedTuple):
    """What a tag points to, and when it was made, in nanoseconds since 1970; None for a tag that doesn't say."""

    sha: bytes
    time_ns: int | None


@contextlib.contextmanager
def _format_errors_named() -> Iterator[None]:
    try:
        yield
    except (FileFormatException, ValueError, IndexError, KeyError, TypeError) as error:
        raise CorruptKata(f"an object can't be parsed: {error}") from error


def of_tag(content: bytes) -> Target:
    """Raises CorruptKata, OSError(EFBIG)."""
    with _format_errors_named():
        tag = _parsed(Tag, content)
        return Target(_sha(tag.object[1]), None if tag.tag_time is None else _time_ns(tag.tag_time))


def of_commit(content: bytes) -> Target:
    """A commit's tree, and the committer's time. Raises CorruptKata, OSError(EFBIG)."""
    with _format_errors_named():
        commit = _parsed(Commit, content)
        return Target(_sha(commit.tree), _time_ns(commit.commit_time))


def file_in_tree(content: bytes, name: bytes) -> bytes | None:
    """The sha of a regular file in a tree, None where it has none. Raises CorruptKata, OSError(EFBIG)."""
    with _format_errors_named():
        for entry_name, mode, sha in _parsed(Tree, content).iteritems():
            if entry_name == name:
                if not stat.S_ISREG(mode):
                    raise CorruptKata(f"{name.decode()} is no file")
                return _sha(sha)
    return None


def _parsed(kind: type[Kind], content: bytes) -> Kind:
    if len(content) > _LIMIT_BYTES:
        raise answer(errno.EFBIG)
    parsed = kind.from_raw_string(kind.type_num, content)
    assert isinstance(parsed, kind)
    return parsed


def _sha(sha: bytes) -> bytes:
    if len(sha) != 40:
        raise CorruptKata("an object points to what is no sha")
    bytes.fromhex(sha.decode())
    return sha


def _time_ns(time_s: float) -> int:
    return min(max(int(time_s), 0), _LATEST_S) * 1_000_000_000
