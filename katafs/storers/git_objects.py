"""Writes objects into an avatar's repository as git writes them: loose, deflated, each named by its digest.

So that no git has to be run for each of them. Must not know what objects say.
"""

import contextlib
import os
import secrets
import zlib
from collections.abc import Iterable, Iterator

from katafs.namespace import GIT_NAME
from katafs.rooted import files, names
from katafs.untrusted.files import directory
from katafs.untrusted.objects import object_name

_TEMPORARY = b"tmp_obj_"
"""So git calls an object that isn't complete: `git gc` removes what a kill left of one."""
_DIRECTORY_MODE, _FILE_MODE = 0o777, 0o444
_PIECE_BYTES = 1 << 20


def write_object(avatar: int, kind: bytes, content: bytes) -> bytes:
    """Store an object, so that the disk has its bytes, and return its name. Also one that is there: it may be empty
    since a power cut, or so old that a `git gc` is about to remove it."""
    name = object_name(kind, content)
    first, rest = name[:2], name[2:]
    with directory(avatar, GIT_NAME, b"objects") as objects:
        with contextlib.suppress(FileExistsError):
            names.make_directory(objects, first, _DIRECTORY_MODE)
        with directory(objects, first) as place:
            _write(place, rest, _deflated(b"%s %d\0" % (kind, len(content)), content))
    return name


def _deflated(header: bytes, content: bytes) -> Iterator[bytes]:
    """In pieces, so that a file of hundreds of megabytes, which a test run may leave, is in memory once."""
    deflating = zlib.compressobj(zlib.Z_BEST_SPEED)
    yield deflating.compress(header)
    for start in range(0, len(content), _PIECE_BYTES):
        yield deflating.compress(memoryview(content)[start : start + _PIECE_BYTES])
    yield deflating.flush()


def _write(place: int, name: bytes, pieces: Iterable[bytes]) -> None:
    temporary = _TEMPORARY + secrets.token_hex(8).encode()
    descriptor = names.create_file(place, temporary, os.O_WRONLY, _FILE_MODE)
    try:
        try:
            for piece in pieces:
                files.write_all(descriptor, piece)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        names.rename(place, temporary, place, name, 0)
    except BaseException:
        names.remove(place, temporary)
        raise
