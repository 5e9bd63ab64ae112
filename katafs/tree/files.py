"""Open files: positional I/O on a descriptor of each handle's own."""

import errno
import os
import stat

from katafs.rooted import inodes, names
from katafs.rooted.answer import answer
from katafs.rooted.caller import granted
from katafs.rooted.inodes import identity_of
from katafs.tree.attributes import Attributes
from katafs.tree.core import Core
from katafs.tree.creation import Creation
from katafs.tree.finder import Finder
from katafs.tree.handles import Handles, OpenFile
from katafs.tree.nodes import Node, rights_of
from katafs.tree.requests import Caller

_PASSED_ON = os.O_ACCMODE | os.O_TRUNC | os.O_SYNC | os.O_DSYNC | os.O_NOATIME
"""Not O_APPEND: an mmap's pages are written through any handle, at their own offsets. Not O_DIRECT: the kernel's
buffers aren't aligned for the backing file."""
_APPENDING = os.O_ACCMODE | os.O_APPEND
_SYNCED = {0: 0, os.O_DSYNC: os.RWF_DSYNC, os.O_SYNC: os.RWF_SYNC}


class Files:
    """create(), open(), read(), write(), fsync() and release()."""

    def __init__(self, core: Core, finder: Finder, creation: Creation) -> None:
        self._core = core
        self._finder = finder
        self._creation = creation
        self.handles: Handles[OpenFile] = Handles(core.first_handle)

    def open(self, number: int, flags: int, caller: Caller) -> int:
        """A handle of the file. Raises OSError(ESTALE) where its permissions have changed since the kernel checked
        them, or another inode has its name: the kernel then looks the path up anew and checks again."""
        with self._core.locked:
            node = self._opening(number, flags)
            if node.handles:
                self._core.reaching.refuse_overtaken(node)
            reached, opened_as = self._core.reaching.reach(node)
            try:
                status = opened_as or os.fstat(reached)
                if node.told is not None and node.told != rights_of(status):
                    raise answer(errno.ESTALE, node.name)
                if flags & os.O_TRUNC:  # where it is refused nothing is cut off
                    lowest = os.dup(reached)
                    os.close(lowest)
                    self._core.reserve.refuse(lowest)
                descriptor = inodes.open_again(reached, flags & _PASSED_ON, status)
            finally:
                if opened_as is not None:
                    os.close(reached)
            try:
                self._core.reserve.refuse(descriptor)
                if flags & os.O_TRUNC and caller.uid != 0:
                    # Of all that clears set-ID bits, only this and some writes the kernel leaves to the daemon.
                    inodes.drop_privilege_bits(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            keeps = node.opened_ctime_ns == status.st_ctime_ns
            ctime_ns = status.st_ctime_ns if inodes.is_settled(status) else 0
            return self.adopt(node, descriptor, flags, keeps=keeps, ctime_ns=ctime_ns)

    def _opening(self, number: int, flags: int) -> Node:
        if flags & os.O_ACCMODE != os.O_RDONLY or flags & os.O_TRUNC:
            return self._core.changing(number)
        node = self._core.node(number)
        if node.piece is not None:
            self._core.legacy.refuse_open(node.piece)
        return node

    def create(self, parent_number: int, name: bytes, flags: int, mode: int, caller: Caller) -> tuple[int, Attributes]:
        """Make a file and open it. Where somebody has made it meanwhile, ESTALE lets the kernel open that one instead,
        with its permissions checked; EEXIST with O_EXCL."""
        core = self._core
        with core.locked:
            parent = core.changing(parent_number)
            directory = self._creation.writable(parent, name)
            mode = granted(mode, directory, caller.uid, caller.gid, caller.pid)
            try:
                with core.creator.acting_as(caller.uid, caller.gid):
                    descriptor = names.create_file(directory, name, flags & _PASSED_ON, mode)
            except FileExistsError:
                raise answer(errno.EEXIST if flags & os.O_EXCL else errno.ESTALE, name) from None
            made: tuple[int, int] | int = stat.S_IFREG
            try:
                core.reserve.refuse(descriptor)
                status = os.fstat(descriptor)
                made = identity_of(status)
                told = self._creation.enter_made(parent, name, status)
            except BaseException:
                os.close(descriptor)
                self._creation.unmake(parent, name, made)
                raise
            return self.adopt(core.nodes.find(told.number), descriptor, flags), told

    def adopt(self, node: Node, descriptor: int, flags: int, *, keeps: bool = False, ctime_ns: int = 0) -> int:
        """A handle of a descriptor, which it owns from now on. `keeps`: whether nothing has changed in the inode since
        it was opened before. `ctime_ns`: when it has changed last, if that may be told of later opens."""
        node.handles.append(descriptor)
        return self.handles.add(
            OpenFile(
                node,
                descriptor,
                waits=bool(flags & (os.O_SYNC | os.O_DSYNC)),
                asks=node.identity is None or node.piece is not None or bool(flags & (os.O_DIRECT | os.O_APPEND)),
                uncached=bool(flags & os.O_DIRECT) or flags & _APPENDING == os.O_WRONLY | os.O_APPEND,
                keeps=keeps,
                ctime_ns=ctime_ns,
            )
        )

    def read(self, handle: int, offset: int, size_bytes: int) -> bytes:
        """pread(2)."""
        opened = self.handles[handle]
        if opened.node.piece is not None:
            with self._core.locked:
                self._core.steady(opened.node)
        opened.taken_in()
        content = os.pread(opened.descriptor, size_bytes, offset)
        if not inodes.is_settled(os.fstat(opened.descriptor)):
            opened.node.read_unsettled = True
        return content

    def write(
        self,
        handle: int,
        offset: int,
        content: bytes | memoryview,
        *,
        appends: bool = False,
        whole: bool = False,
        synced: int = 0,
        clears_set_ids: bool = False,
    ) -> int:
        """pwrite(2): how many bytes were written. When it returns, the volume has them.

        An append goes to the file's true end, wherever the offset is. What is to be written `whole` is, or has the
        error that its rest meets. `synced` (O_DSYNC, O_SYNC): the disk has it as well."""
        descriptor = self.handles[handle].descriptor
        if clears_set_ids:
            inodes.drop_privilege_bits(descriptor)
        flags = _SYNCED[synced] | (os.RWF_APPEND if appends else 0)
        written = os.pwritev(descriptor, [content], offset, flags)
        while whole and written < len(content):
            written += os.pwritev(descriptor, [content[written:]], offset + written)
        return written

    def waits(self, handle: int) -> bool:
        """Whether each write of the handle waits for the disk."""
        return self.handles[handle].waits

    def fsync(self, handle: int, *, data_only: bool) -> None:
        """fsync(2) or fdatasync(2)."""
        descriptor = self.handles[handle].descriptor
        if data_only:
            os.fdatasync(descriptor)
        else:
            os.fsync(descriptor)

    def allocate(self, handle: int, offset: int, size_bytes: int, mode: int) -> None:
        """fallocate(2)."""
        inodes.allocate(self.handles[handle].descriptor, mode, offset, size_bytes)

    def seek(self, handle: int, offset: int, whence: int) -> int:
        """lseek(2) with SEEK_DATA or SEEK_HOLE. The descriptor's own offset, which it moves, is used by nobody."""
        return os.lseek(self.handles[handle].descriptor, offset, whence)

    def release(self, handle: int) -> None:
        """Close the handle's descriptor, unless that is all by which an inode without a name can be reached."""
        with self._core.lock:
            opened = self.handles.remove(handle)
            opened.taken_in()
            left = opened.node.leave(opened.descriptor)
        if left:
            os.close(opened.descriptor)
