"""Open files that the kernel reads and writes itself (FUSE_PASSTHROUGH, Linux 6.9): by backing ids, one an inode.

The kernel takes all open files of an inode to be either such or not, and answers EIO to an open that isn't as the
others are. So the first one decides for all that come while it is open. Where the kernel doesn't let it, everything is
read and written by requests, and nobody notices but by the clock.
"""

import errno
import fcntl
import struct
import threading
from collections.abc import Hashable
from dataclasses import dataclass

# _IOW(229, 1, struct fuse_backing_map) and _IOW(229, 2, uint32_t) of linux/fuse.h
_BACKING_OPEN = 0x4010E501
_BACKING_CLOSE = 0x4004E502
_BACKING_MAP = struct.Struct("=iIQ")
"""Descriptor, flags, padding."""
_BACKING_ID = struct.Struct("=I")

NONE = 0
"""No backing id: ids begin with 1."""


@dataclass(slots=True)
class _Inode:
    backing: int
    handles: int = 0


class Passthrough:
    """The backing ids of one connection."""

    def __init__(self, device: int) -> None:
        self._device = device
        self._lock = threading.Lock()
        """Covers both tables, and that an id is made, used and given back in this order."""
        self._inodes: dict[Hashable, _Inode] = {}
        self._by_handle: dict[int, Hashable] = {}
        self._permitted = False

    def permit(self) -> None:
        """The kernel has agreed to it."""
        self._permitted = True

    def is_permitted(self) -> bool:
        """Whether the kernel may read and write files itself, as far as is known."""
        return self._permitted

    def has(self, handle: int) -> bool:
        """Whether the kernel reads and writes this open file itself."""
        with self._lock:
            inode = self._by_handle.get(handle)
            return inode is not None and self._inodes[inode].backing != NONE

    def opened(self, handle: int, inode: Hashable, descriptor: int | None) -> int:
        """The backing id for a new open file of the inode, or NONE. Without a descriptor the kernel is to ask for each
        read and write, if others that are open let it be so."""
        if not self._permitted:
            return NONE
        with self._lock:
            known = self._inodes.get(inode)
            if known is None:
                known = self._inodes[inode] = _Inode(NONE if descriptor is None else self._make(descriptor))
            known.handles += 1
            self._by_handle[handle] = inode
            return known.backing

    def _make(self, descriptor: int) -> int:
        try:
            # Of a buffer that may be changed ioctl() gives the call's result, of bytes the buffer.
            backing: int = fcntl.ioctl(self._device, _BACKING_OPEN, bytearray(_BACKING_MAP.pack(descriptor, 0, 0)))
        except OSError as refused:
            # ELOOP: the file is on a file system that is stacked itself. EPERM: not without CAP_SYS_ADMIN.
            if refused.errno == errno.EPERM:
                self._permitted = False
            return NONE
        return backing

    def released(self, handle: int) -> None:
        """The open file is closed for good."""
        with self._lock:
            inode = self._by_handle.pop(handle, None)
            if inode is None:
                return
            known = self._inodes[inode]
            known.handles -= 1
            if known.handles == 0:
                del self._inodes[inode]
                if known.backing != NONE:
                    fcntl.ioctl(self._device, _BACKING_CLOSE, _BACKING_ID.pack(known.backing))
