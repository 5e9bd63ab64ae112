"""What a reply tells the kernel of an inode."""

import os
import stat
from dataclasses import dataclass

VIRTUAL_LINKS = 2
"""`.` and the name in the parent."""


@dataclass(slots=True)
class Attributes:
    """stat(2) of an inode of the tree, and how long the kernel may keep it. Times in nanoseconds, sizes in bytes."""

    number: int
    generation: int
    mode: int
    links: int
    uid: int
    gid: int
    device: int
    size: int
    blocks: int
    block_size: int
    atime_ns: int
    mtime_ns: int
    ctime_ns: int
    timeout_s: float


def of_inode(
    number: int, generation: int, status: os.stat_result, ctime_ns: int, added_links: int, timeout_s: float
) -> Attributes:
    """A backing inode's own status, but for its ctime. One link is what a file system says that doesn't count a
    directory's: then they still aren't counted."""
    links = status.st_nlink + added_links if status.st_nlink > 1 else status.st_nlink
    return Attributes(
        number, generation, status.st_mode, links, status.st_uid, status.st_gid, status.st_rdev, status.st_size,
        status.st_blocks, status.st_blksize, status.st_atime_ns, status.st_mtime_ns, ctime_ns, timeout_s,
    )  # fmt: skip


def of_virtual(number: int, model: os.stat_result, mode: int, links: int, size: int, timeout_s: float) -> Attributes:
    """An object that no volume holds. Owner and times are those of the root volume's top, so that they are the same
    after a restart."""
    return Attributes(
        number, 0, mode, links, model.st_uid, model.st_gid, 0, size,
        0, model.st_blksize, model.st_mtime_ns, model.st_mtime_ns, model.st_mtime_ns, timeout_s,
    )  # fmt: skip


def of_tag(number: int, owner: os.stat_result, mode: int, size: int, mtime_ns: int, timeout_s: float) -> Attributes:
    """Something that is read from an avatar's git and belongs to whom the avatar's directory does."""
    links = VIRTUAL_LINKS if stat.S_ISDIR(mode) else 1
    blocks = -(-size // 512)
    return Attributes(
        number, 0, mode, links, owner.st_uid, owner.st_gid, 0, size,
        blocks, owner.st_blksize, mtime_ns, mtime_ns, mtime_ns, timeout_s,
    )  # fmt: skip


def directory_mode(model: os.stat_result) -> int:
    """The mode of a directory that no volume holds: the root's permissions, without its sticky and set-ID bits."""
    return stat.S_IFDIR | (stat.S_IMODE(model.st_mode) & 0o777)
