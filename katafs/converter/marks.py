"""The mark on a volume's top that says: a copy of a kata that still stands on an old disk.

Only who converts that disk may replace such a copy, and only where nobody has changed it since. Once the kata doesn't
stand there any more, the mark means nothing.
"""

import contextlib
from typing import NamedTuple

from katafs.rooted import inodes, surveys

_UNCOMMITTED = b"trusted.katafs.uncommitted"
"""The extended attribute that it is."""


class Mark(NamedTuple):
    """What it says."""

    origin: bytes
    """The disk."""
    change: bytes
    """What tells if the copy has changed."""


def put(top: int, origin: bytes) -> None:
    """Mark a copy that is whole. Where a file system has no such attributes it isn't: a kill before the commit then
    makes a person decide."""
    with contextlib.suppress(OSError):
        inodes.set_xattr(top, _UNCOMMITTED, b"%s %s" % (origin, surveys.last_change(top)))


def find(top: int) -> Mark | None:
    """The mark, if there is one."""
    mark = inodes.find_xattr(top, _UNCOMMITTED)
    if mark is None:
        return None
    origin, _, change = mark.partition(b" ")
    return Mark(origin, change)


def has_changed(top: int, mark: Mark) -> bool:
    """Whether anybody has changed the copy since it was marked."""
    return mark.change != surveys.last_change(top)


def take_away(top: int, origin: bytes) -> None:
    """Unmark a copy of this disk's."""
    mark = find(top)
    if mark is not None and mark.origin == origin:
        inodes.remove_xattr(top, _UNCOMMITTED)
