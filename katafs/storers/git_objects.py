"""Writes objects into an avatar's repository as git writes them: loose, deflated, each named by its digest.

So that no git has to be run, and lent what it is to read, for each of them. Must not know what objects say.
"""

import contextlib
import hashlib
import os
import secrets
import zlib

from katafs.namespace import GIT_NAME
from katafs.rooted import files, names
from katafs.storers.dulwich_files import directory

_TEMPORARY = b"tmp_obj_"
"""So git calls an object that isn't complete: `git gc` removes what a kill left of one."""
_DIRECTORY_MODE, _FILE_MODE = 0o777, 0o444


def object_name(kind: bytes, content: bytes) -> str:
    """The name that git gives such an object."""
    digest = hashlib.sha1(b"%s %d\0" % (kind, len(content)), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest()


def write_object(avatar: int, kind: bytes, content: bytes) -> str:
    """Store an object, so that the disk has its bytes, and return its name. One that is there stays as it is: of two
    contents that somebody has made for one name, the first."""
    name = object_name(kind, content)
    first, rest = name[:2].encode(), name[2:].encode()
    with directory(avatar, GIT_NAME, b"objects") as objects:
        with contextlib.suppress(FileExistsError):
            names.make_directory(objects, first, _DIRECTORY_MODE)
        with directory(objects, first) as place:
            if files.status_of(place, rest) is None:
                _write(place, rest, zlib.compress(b"%s %d\0" % (kind, len(content)) + content, zlib.Z_BEST_SPEED))
    return name


def _write(place: int, name: bytes, deflated: bytes) -> None:
    temporary = _TEMPORARY + secrets.token_hex(8).encode()
    descriptor = names.create_file(place, temporary, os.O_WRONLY, _FILE_MODE)
    try:
        try:
            files.write_all(descriptor, deflated)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        names.rename(place, temporary, place, name, 0)
    except BaseException:
        names.remove(place, temporary)
        raise
