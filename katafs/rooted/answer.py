"""The ordinary negative answer of a file system, and what isn't one."""

import errno
import os

DAMAGE = frozenset((errno.EIO, errno.EUCLEAN, errno.EBADMSG))
"""What is said of an inode that can't be read, or makes no sense: ext4, XFS and btrfs have EUCLEAN for "corrupted", and
EBADMSG for a wrong checksum."""


def answer(number: int, name: bytes = b"") -> OSError:
    """An OSError of this errno with the system's own words for it."""
    return OSError(number, os.strerror(number), name)
