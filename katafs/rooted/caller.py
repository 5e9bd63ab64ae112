"""Creating as somebody else: what a program makes belongs to it, although the daemon makes it."""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator

from katafs.rooted import syscalls
from katafs.rooted.answer import answer
from katafs.rooted.credentials import CAP_FSETID, credentials_of

_AS_ITSELF = contextlib.nullcontext()
_PAUSE_S = 0.01
_AS_THE_GROUP = stat.S_ISGID | stat.S_IXGRP
"""Of a program: whoever runs it does so as its group."""


def granted(mode: int, directory: int, uid: int, gid: int, pid: int) -> int:
    """The mode of a file that somebody makes in a directory: without set-group-ID where it would be a program of a
    group that isn't theirs, which a set-group-ID directory would give it (CVE-2018-13405), unless they have CAP_FSETID.

    Newer kernels have seen to that before they ask for the file; 5.10.46 hasn't. The volume's own file system doesn't,
    since the capabilities stay."""
    if mode & _AS_THE_GROUP != _AS_THE_GROUP or uid == 0:
        return mode
    above = os.fstat(directory)
    if not above.st_mode & stat.S_ISGID or above.st_gid == gid:
        return mode
    maker = credentials_of(pid)
    if maker and (above.st_gid in maker.groups or maker.has(CAP_FSETID, above.st_uid, above.st_gid)):
        return mode
    return mode & ~stat.S_ISGID


class Creator:
    """Makes the calling thread create files in another user's name.

    The kernel then gives a new inode its owner by its own rules, setgid directories included, in the same step that
    makes it: a chown afterwards would leave a moment, or after a kill forever, in which it is root's. The
    capabilities stay, because the kernel has checked the caller's permissions already (default_permissions)."""

    def __init__(self) -> None:
        """Prepare this thread and those it will start. Raises OSError(EPERM) for a root that lacks CAP_SETPCAP."""
        self._uid = os.geteuid()
        self._gid = os.getegid()
        # Under a filter of system calls it never becomes anybody else, and mustn't try to become itself again.
        self._may_act = syscalls.file_system_ids() == (self._uid, self._gid)
        if self._uid == 0:
            syscalls.keep_capabilities()
        os.umask(0)

    def acting_as(self, uid: int, gid: int) -> contextlib.AbstractContextManager[None]:
        """Create as `uid` and `gid`; an ordinary user's daemon serves only itself and creates as itself.

        Raises OSError(EPERM) where that can't be."""
        if self._uid != 0 or (uid == self._uid and gid == self._gid):
            return _AS_ITSELF
        if not self._may_act:
            raise answer(errno.EPERM)
        return self._acting_as_other(uid, gid)

    @contextlib.contextmanager
    def _acting_as_other(self, uid: int, gid: int) -> Iterator[None]:
        try:
            syscalls.set_file_system_ids(uid, gid)  # of which only one may succeed
            yield
        finally:
            self._act_as_itself()

    def _act_as_itself(self) -> None:
        """Tried until it succeeds, since only memory can be missing: else what this thread makes next for root would
        be the caller's, who could write to it, and what was made now would be told to have failed."""
        while True:
            try:
                syscalls.set_file_system_ids(self._uid, self._gid)
            except Exception:  # noqa: BLE001 ctypes makes an ArgumentError of a MemoryError
                time.sleep(_PAUSE_S)
            else:
                return
