"""What a reply tells the kernel of an inode."""

import os
import stat
from dataclasses import dataclass

VIRTUAL_LINKS = 2
"""`.` and the name in the parent."""
NOBODYS_RIGHTS = stat.S_IFDIR, 0xFFFFFFFD, 0xFFFFFFFD
"""Mode, owner and group of a directory that nobody may enter or change but by a capability for everybody's: root may
have none, and so isn't the owner; nor is 0xFFFFFFFE, which was a user once (nfsnobody)."""


@dataclass(slots=True)
class Attributes:
    """stat(2) of an inode of the tree, and how long the kernel may keep it. Times in nanoseconds."""

    number: int
    generation: int
    status: os.stat_result
    """All but what is beside it here."""
    links: int
    ctime_ns: int
    timeout_s: float
    unasked: bool = False
    """Whether of the status only the kind holds, so that the kernel is to ask for the rest."""


def of_virtual(number: int, model: os.stat_result, mode: int, links: int, size: int, timeout_s: float) -> Attributes:
    """An object that no volume holds. Owner and times are those of the root volume's top, so that they are the same
    after a restart."""
    status = made_up(mode, (model.st_uid, model.st_gid), size, model.st_blksize, model.st_mtime_ns)
    return Attributes(number, 0, status, links, model.st_mtime_ns, timeout_s)


def of_unasked(number: int, guessed: tuple[int, int, int], model: os.stat_result, timeout_s: float) -> Attributes:
    """A directory that is on a disk which wasn't asked: the mode, the owner and the group are guessed. The timeout is
    its name's."""
    mode, uid, gid = guessed
    status = made_up(mode, (uid, gid), 0, model.st_blksize, model.st_mtime_ns)
    return Attributes(number, 0, status, VIRTUAL_LINKS, model.st_mtime_ns, timeout_s, unasked=True)


def of_tag(number: int, owner: os.stat_result, mode: int, size: int, mtime_ns: int, timeout_s: float) -> Attributes:
    """Something that is read from an avatar's git and belongs to whom the avatar's directory does."""
    links = VIRTUAL_LINKS if stat.S_ISDIR(mode) else 1
    owned = (owner.st_uid, owner.st_gid)
    status = made_up(mode, owned, size, owner.st_blksize, mtime_ns, blocks=-(-size // 512))
    return Attributes(number, 0, status, links, mtime_ns, timeout_s)


def with_mtime(status: os.stat_result, mtime_ns: int) -> os.stat_result:
    """The same status but for the nanoseconds of the mtime."""
    names = ("st_rdev", "st_blocks", "st_blksize", "st_atime_ns", "st_ctime_ns")
    return os.stat_result(status[:10], {name: getattr(status, name) for name in names} | {"st_mtime_ns": mtime_ns})


def made_up(
    mode: int, owner: tuple[int, int], size_bytes: int, block_bytes: int, time_ns: int, blocks: int = 0
) -> os.stat_result:
    """The status of something that no file system holds: a user's and a group's, and all its times are one."""
    time_s = time_ns // 1_000_000_000
    rest = {"st_rdev": 0, "st_blocks": blocks, "st_blksize": block_bytes}
    times = {"st_atime_ns": time_ns, "st_mtime_ns": time_ns, "st_ctime_ns": time_ns}
    return os.stat_result((mode, 0, 0, 0, *owner, size_bytes, time_s, time_s, time_s), rest | times)


def directory_mode(model: os.stat_result) -> int:
    """The mode of a directory that no volume holds: the root's permissions, without its sticky and set-ID bits."""
    return stat.S_IFDIR | (model.st_mode & 0o777)
