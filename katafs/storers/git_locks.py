"""The locks that a git which was killed leaves in an avatar's repository: no later git goes on while they are there."""

import contextlib
import time

from katafs.namespace import GIT_NAME
from katafs.rooted import files, names
from katafs.untrusted.files import directory

_LASTING_S = 60
"""A git that runs holds none for so long. One of a later time is of before the clock was set back."""
_HEADS = (b"refs", b"heads")
_PLACES = ((), (b"objects",), (b"objects", b"info"), _HEADS, (b"refs", b"tags"), (b"logs",), (b"logs", *_HEADS))
"""The directories in `.git` where an avatar's git makes locks."""
_LOCK = b".lock"
"""How their names end, and no branch's or tag's."""
_PACKED = ((), b"packed-refs.new")
"""git's own file under the lock of packed-refs, which it makes only where none is, and where that is."""


def remove_old_locks(avatar: int) -> None:
    """Remove those that nobody can be at work with any more. Called with the avatar's own lock held, so that it is no
    storer's git."""
    for place in _PLACES:
        with contextlib.suppress(FileNotFoundError), directory(avatar, GIT_NAME, *place) as held:
            for name in names.listing(held):
                if (name.endswith(_LOCK) or (place, name) == _PACKED) and _is_old(held, name):
                    names.remove(held, name)


def _is_old(held: int, name: bytes) -> bool:
    status = files.status_of(held, name)
    return status is not None and abs(time.time() - status.st_mtime) > _LASTING_S
