"""What is asked of an inode and changed on it: attributes, link targets, extended attributes, and where it is kept."""

import dataclasses
import errno
import json
import os
import stat
from dataclasses import dataclass

from katafs.namespace import alias_target
from katafs.rooted import inodes
from katafs.rooted.answer import answer
from katafs.rooted.credentials import CAP_CHOWN, CAP_FOWNER, Credentials, credentials_of
from katafs.rooted.syscalls import NOW_NS
from katafs.tree.attributes import Attributes, with_mtime
from katafs.tree.core import Core
from katafs.tree.creation import Creation
from katafs.tree.files import Files
from katafs.tree.nodes import DEEPEST, Node, rights_of
from katafs.tree.requests import Caller

PLACE_XATTR = b"user.katafs.place"
"""Says where a file or directory is kept, as JSON. It isn't listed, and no volume can answer it."""
_SYSTEM_PREFIX = b"system."
"""ACLs: POSIX ones, and those of NFS and others. Linux leaves it to the file system who may change which (xattr(7)),
and here that would be asked by root, for whoever asks."""
_TRUSTED_PREFIX = b"trusted."


@dataclass(frozen=True)
class Changes:
    """What setattr() is to change; None leaves it. Times in nanoseconds since 1970, or NOW_NS; the size in bytes."""

    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    size: int | None = None
    atime_ns: int | None = None
    mtime_ns: int | None = None

    @property
    def touches(self) -> bool:
        """Whether nothing is set but times to now, as whoever may write may do (utimensat(2))."""
        times_ns = {self.atime_ns, self.mtime_ns} - {None}
        return times_ns == {NOW_NS} and self == Changes(atime_ns=self.atime_ns, mtime_ns=self.mtime_ns)

    def only_takes_privilege(self, mode: int) -> bool:
        """Whether nothing is set but a mode without the set-ID bits that there are, as the kernel has it when somebody
        writes to a file (write(2)), and nothing at all, as chown(2) has it."""
        if self != Changes(mode=self.mode):
            return False
        changed = 0 if self.mode is None else stat.S_IMODE(self.mode ^ mode)
        return changed & ~(mode & (stat.S_ISUID | stat.S_ISGID)) == 0


class Inodes:
    """getattr(), setattr(), readlink(), statfs() and the extended attributes."""

    def __init__(self, core: Core, creation: Creation, files: Files) -> None:
        self._core = core
        self._creation = creation
        self._files = files

    def getattr(self, number: int) -> Attributes:
        """The inode's attributes now."""
        with self._core.locked:
            node = self._core.node(number)
            return self._core.telling.tell(node, self._core.reaching.status(node))

    def getattr_for_pages(self, number: int) -> Attributes:
        """The same for the kernel alone, which before a read drops the pages that it has kept if the mtime or the size
        is another than it was told last. Where neither would tell of a change since they were read it is told of
        another mtime, by some nanoseconds. It keeps that for no time: a program is shown it only by a statx(2)
        that nobody is to be asked for (AT_STATX_DONT_SYNC). Where a stat(2) is answered meanwhile the kernel may pass
        it over."""
        with self._core.locked:
            node = self._core.node(number)
            status = self._core.reaching.status(node)
            told = self._core.telling.tell(node, status)
            if node.read_unsettled and status is not None:
                node.read_unsettled = False
                told.status, told.timeout_s = with_mtime(status, node.doubted_mtime_ns(status)), 0.0
            return told

    def setattr(self, number: int, changes: Changes, handle: int | None, caller: Caller) -> Attributes:
        """Change attributes, through the open file where the kernel names one. The kernel has checked the caller's
        permission for each."""
        with self._core.locked:
            node = self._core.changing(number)
            if node.identity is None:
                self._creation.backed(node)
            with self._core.reaching.reached(node) as reached:
                if handle is None and caller.uid != 0:
                    self._refuse_outdated(node, os.fstat(reached), changes, caller)
                if changes.size is not None:
                    self._set_size(reached, changes.size, handle)
                self._set_rest(reached, changes)
                return self._core.telling.tell(node, os.fstat(reached))

    @staticmethod
    def _refuse_outdated(node: Node, status: os.stat_result, changes: Changes, caller: Caller) -> None:
        """Raises OSError(ESTALE) where the kernel's check went by what the inode was: through a path it asks again
        then, but of an open file it goes by what it was told last, for as long as that is open."""
        if node.told is None or caller.uid == status.st_uid or changes.touches:
            return
        if changes.size is not None:  # the mode says who may change that; all else only the owner may
            outdated = node.told != rights_of(status)
        elif (credentials := credentials_of(caller.pid)) is None:  # nobody can say what they may
            outdated = node.told[1] != status.st_uid
        else:  # what the kernel was told may be newer than its check
            outdated = not _may_without_owning(status, changes, credentials)
        if outdated:
            raise answer(errno.ESTALE, node.name)

    def _set_size(self, reached: int, size_bytes: int, handle: int | None) -> None:
        if handle is None:
            inodes.set_size(reached, size_bytes)
        else:
            os.ftruncate(self._files.handles[handle].descriptor, size_bytes)

    @staticmethod
    def _set_rest(reached: int, changes: Changes) -> None:
        if changes == Changes() or changes.uid is not None or changes.gid is not None:
            # chown(2) with both ids left alone changes ctime and set-ID bits all the same; no field says so.
            uid = -1 if changes.uid is None else changes.uid
            gid = -1 if changes.gid is None else changes.gid
            inodes.set_owner(reached, uid, gid)
        if changes.mode is not None:
            inodes.set_mode(reached, changes.mode)
        if changes.atime_ns is not None or changes.mtime_ns is not None:
            inodes.set_times(reached, changes.atime_ns, changes.mtime_ns)

    def readlink(self, number: int) -> bytes:
        """The target of a symbolic link, as it was given."""
        with self._core.locked:
            node = self._core.node(number)
            if node.identity is None and node.place.kata and not node.is_directory:
                return alias_target(node.place.kata, self._core.settings.layout)
            with self._core.reaching.reached(node) as reached:
                return inodes.read_link(reached)

    def statfs(self, number: int) -> os.statvfs_result:
        """The file system that the inode is on; the root volume's for what no volume holds, of `/` without one."""
        with self._core.locked:
            known, root = self._core.nodes.known(number), self._core.nodes.root
            node = root if known is None or self._core.steady(known).identity is None else known
            if node.identity is None:
                return os.statvfs("/")
            with self._core.reaching.reached(node) as reached:
                descriptor = os.dup(reached)
        try:
            return os.fstatvfs(descriptor)  # it may wait for the disk
        finally:
            os.close(descriptor)

    def getxattr(self, number: int, name: bytes, caller: Caller) -> bytes | None:
        """An extended attribute, if there is one of the name. Raises OSError(ENOTSUP)."""
        with self._core.locked:
            node = self._core.node(number)
            if name == PLACE_XATTR:
                return self._place(node)
            self._refuse(name, caller, errno.ENODATA)
            if node.identity is None:
                return None
            if node.handles:
                return inodes.get_xattr(node.handles[-1], name, is_open=True)
            with self._core.reaching.reached(node) as reached:
                return inodes.get_xattr(reached, name)

    def setxattr(self, number: int, name: bytes, value: bytes, flags: int, caller: Caller) -> None:
        """Set an extended attribute; the flags are XATTR_CREATE and XATTR_REPLACE."""
        with self._core.locked:
            self._refuse(name, caller, errno.EPERM)
            node = self._core.changing(number)
            if node.identity is None:
                self._creation.backed(node)
            with self._core.reaching.reached(node) as reached:
                inodes.set_xattr(reached, name, value, flags)

    def removexattr(self, number: int, name: bytes, caller: Caller) -> None:
        """Remove an extended attribute."""
        with self._core.locked:
            self._refuse(name, caller, errno.EPERM)
            with self._core.reaching.reached(self._core.changing(number)) as reached:
                inodes.remove_xattr(reached, name)

    def listxattr(self, number: int, caller: Caller) -> list[bytes]:
        """The names of the extended attributes; trusted ones for root only (xattr(7))."""
        if not self._core.settings.xattrs:
            raise answer(errno.ENOTSUP)
        with self._core.locked:
            node = self._core.node(number)
            if node.identity is None:
                return []
            with self._core.reaching.reached(node) as reached:
                listed = inodes.list_xattrs(reached)
        hidden = (_SYSTEM_PREFIX,) if caller.uid == 0 else (_SYSTEM_PREFIX, _TRUSTED_PREFIX)
        return [name for name in listed if name != PLACE_XATTR and not name.startswith(hidden)]

    def _refuse(self, name: bytes, caller: Caller, untrusted: int) -> None:
        """ACLs passed through without the kernel enforcing them would give `cp -a` wrong modes."""
        if not self._core.settings.xattrs or name.startswith(_SYSTEM_PREFIX):
            raise answer(errno.ENOTSUP)
        if name == PLACE_XATTR:
            raise answer(errno.EPERM)
        if name.startswith(_TRUSTED_PREFIX) and caller.uid != 0:
            raise answer(untrusted)

    def _place(self, node: Node) -> bytes:
        """The volume, the path inside it, and what a container's `--mount` calls the volume."""
        if node.volume is None or node.identity is None or (node.piece is not None and node.piece.kata is None):
            raise answer(errno.ENODATA)
        parts: list[bytes] = []
        at: Node | None = node
        while at is not None and at.parent is not None and at.place.volume != node.volume:
            if len(parts) > DEEPEST:
                raise answer(errno.ESTALE, node.name)
            parts.append(at.name)
            at = at.parent
        path = os.fsdecode(b"/".join(reversed(parts)))
        location = self._core.store.location(node.volume)
        return json.dumps({"volume": node.volume, "path": path, "location": location}).encode()


def _may_without_owning(status: os.stat_result, changes: Changes, credentials: Credentials) -> bool:
    """Whether who doesn't own an inode may make such changes of it, none of the size among them, as chmod(2), chown(2)
    and utimensat(2) have it."""
    if (changes.uid, changes.gid) != (None, None):
        if not credentials.has(CAP_CHOWN, status.st_uid, status.st_gid):
            return False
        changes = dataclasses.replace(changes, uid=None, gid=None)
    return changes.only_takes_privilege(status.st_mode) or credentials.has(CAP_FOWNER, status.st_uid)
