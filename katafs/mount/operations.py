"""The kernel's requests, each handed to the tree: inline where that is quick, in a worker thread where it may wait."""

import errno
import functools
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

import pyfuse3
import trio
from pyfuse3 import FileHandleT, FileNameT, FlagT, InodeT, ModeT, XAttrNameT

from katafs.mount import replies
from katafs.mount.answers import answered, errno_of
from katafs.tree.legacy import Unconverted
from katafs.tree.tree import Tree

_LONG_WRITE_BYTES = 256 * 1024
"""From here on a write takes longer than its way to another thread and back."""
_STORE_THREADS = 4
_DISK_THREADS = 16
_CONVERSION_THREADS = 8

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _changing(
    handler: Callable[Concatenate["Operations", Arguments], Coroutine[Any, Any, Result]],
) -> Callable[Concatenate["Operations", Arguments], Coroutine[Any, Any, Result]]:
    """A handler of what may change something. Where that is on the legacy disk still, the handler says so before it has
    done anything; then that is converted, and the handler begins anew."""

    @functools.wraps(handler)
    async def wrapped(self: "Operations", /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        while True:
            try:
                return await handler(self, *args, **kwargs)
            except Unconverted as first:
                await self.convert(first)

    return wrapped


class Operations(pyfuse3.Operations):
    """One method a kind of request."""

    supports_dot_lookup = False
    enable_writeback_cache = False
    enable_acl = False

    def __init__(self, tree: Tree) -> None:
        super().__init__()
        self._tree = tree
        self._store_threads = trio.CapacityLimiter(_STORE_THREADS)
        self._disk_threads = trio.CapacityLimiter(_DISK_THREADS)
        self._conversion_threads = trio.CapacityLimiter(_CONVERSION_THREADS)

    async def _waiting_for_store(self, call: Callable[[], Result]) -> Result:
        return await trio.to_thread.run_sync(call, limiter=self._store_threads)

    async def _waiting_for_disk(self, call: Callable[[], Result]) -> Result:
        return await trio.to_thread.run_sync(call, limiter=self._disk_threads)

    async def convert(self, first: Unconverted) -> None:
        """Have a piece of the legacy disk converted."""
        try:
            await trio.to_thread.run_sync(partial(self._tree.convert, first.piece), limiter=self._conversion_threads)
        except Exception as problem:
            if first.needed:
                raise
            errno_of("open", problem)
            self._tree.leave_as_it_is(first.piece)

    def waits_for_nothing(self) -> bool:
        """Whether no request is in a worker thread."""
        threads = (self._store_threads, self._disk_threads, self._conversion_threads)
        return not any(limiter.borrowed_tokens for limiter in threads)

    # Names

    @answered
    async def lookup(
        self, parent_inode: InodeT, name: FileNameT, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        try:
            if self._tree.tags.wait_for(parent_inode, name):
                return replies.entry(await self._waiting_for_disk(partial(self._tree.tags.lookup, parent_inode, name)))
            return replies.entry(self._tree.creation.lookup(parent_inode, name))
        except FileNotFoundError:
            raise pyfuse3.FUSEError(errno.ENOENT) from None

    @answered
    @_changing
    async def mknod(
        self, parent_inode: InodeT, name: FileNameT, mode: ModeT, rdev: int, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        return replies.entry(self._tree.creation.mknod(parent_inode, name, mode, rdev, replies.caller(ctx)))

    @answered
    @_changing
    async def mkdir(
        self, parent_inode: InodeT, name: FileNameT, mode: ModeT, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        caller = replies.caller(ctx)
        volume = self._tree.volumes.made_by_mkdir(parent_inode, name)
        if volume is None:
            return replies.entry(self._tree.creation.mkdir(parent_inode, name, mode & 0o7777, caller))
        make = partial(self._tree.volumes.make, volume, parent_inode, name, mode, caller)
        return replies.entry(await self._waiting_for_store(make))

    @answered
    @_changing
    async def symlink(
        self, parent_inode: InodeT, name: FileNameT, target: FileNameT, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        return replies.entry(self._tree.creation.symlink(parent_inode, name, target, replies.caller(ctx)))

    @answered
    @_changing
    async def link(
        self, inode: InodeT, new_parent_inode: InodeT, new_name: FileNameT, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        return replies.entry(self._tree.creation.link(inode, new_parent_inode, new_name))

    @answered
    @_changing
    async def unlink(self, parent_inode: InodeT, name: FileNameT, ctx: pyfuse3.RequestContext) -> None:
        self._tree.removal.unlink(parent_inode, name)

    @answered
    @_changing
    async def rmdir(self, parent_inode: InodeT, name: FileNameT, ctx: pyfuse3.RequestContext) -> None:
        volume = self._tree.volumes.removed_by_rmdir(parent_inode, name)
        if volume is None:
            self._tree.removal.rmdir(parent_inode, name)
        else:
            await self._waiting_for_store(partial(self._tree.volumes.remove, volume, parent_inode, name))

    @answered
    @_changing
    async def rename(
        self,
        parent_inode_old: InodeT,
        name_old: FileNameT,
        parent_inode_new: InodeT,
        name_new: FileNameT,
        flags: FlagT,
        ctx: pyfuse3.RequestContext,
    ) -> None:
        self._tree.removal.rename((parent_inode_old, name_old), (parent_inode_new, name_new), flags)

    async def forget(self, inode_list: Sequence[tuple[InodeT, int]]) -> None:
        try:
            self._tree.forget(inode_list)
        except Exception as error:  # noqa: BLE001 FORGET has no reply, and an exception would end the main loop
            errno_of("forget", error)

    # Inodes

    @answered
    async def getattr(self, inode: InodeT, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        if self._tree.tags.show(inode):
            return replies.entry(await self._waiting_for_disk(partial(self._tree.tags.getattr, inode)))
        return replies.entry(self._tree.inodes.getattr(inode))

    @answered
    @_changing
    async def setattr(
        self,
        inode: InodeT,
        attr: pyfuse3.EntryAttributes,
        fields: pyfuse3.SetattrFields,
        fh: FileHandleT | None,
        ctx: pyfuse3.RequestContext,
    ) -> pyfuse3.EntryAttributes:
        wanted = replies.changes(attr, fields)
        return replies.entry(self._tree.inodes.setattr(inode, wanted, fh))

    @answered
    async def readlink(self, inode: InodeT, ctx: pyfuse3.RequestContext) -> FileNameT:
        return FileNameT(self._tree.inodes.readlink(inode))

    @answered
    async def statfs(self, ctx: pyfuse3.RequestContext) -> pyfuse3.StatvfsData:
        return replies.statistics(self._tree.inodes.statfs())

    @answered
    async def getxattr(self, inode: InodeT, name: XAttrNameT, ctx: pyfuse3.RequestContext) -> bytes:
        return self._tree.inodes.getxattr(inode, name, replies.caller(ctx))

    @answered
    @_changing
    async def setxattr(self, inode: InodeT, name: XAttrNameT, value: bytes, ctx: pyfuse3.RequestContext) -> None:
        self._tree.inodes.setxattr(inode, name, value, replies.caller(ctx))

    @answered
    async def listxattr(self, inode: InodeT, ctx: pyfuse3.RequestContext) -> Sequence[XAttrNameT]:
        return [XAttrNameT(name) for name in self._tree.inodes.listxattr(inode, replies.caller(ctx))]

    @answered
    @_changing
    async def removexattr(self, inode: InodeT, name: XAttrNameT, ctx: pyfuse3.RequestContext) -> None:
        self._tree.inodes.removexattr(inode, name, replies.caller(ctx))

    # Open files

    @answered
    @_changing
    async def open(self, inode: InodeT, flags: FlagT, ctx: pyfuse3.RequestContext) -> pyfuse3.FileInfo:
        if self._tree.tags.show(inode):
            handle = await self._waiting_for_disk(partial(self._tree.tags.open, inode, flags))
        else:
            handle = self._tree.files.open(inode, flags, replies.caller(ctx))
        return pyfuse3.FileInfo(fh=FileHandleT(handle))

    @answered
    @_changing
    async def create(
        self, parent_inode: InodeT, name: FileNameT, mode: ModeT, flags: FlagT, ctx: pyfuse3.RequestContext
    ) -> tuple[pyfuse3.FileInfo, pyfuse3.EntryAttributes]:
        handle, told = self._tree.files.create(parent_inode, name, flags, mode, replies.caller(ctx))
        return pyfuse3.FileInfo(fh=FileHandleT(handle)), replies.entry(told)

    @answered
    async def read(self, fh: FileHandleT, off: int, size: int) -> bytes:
        return self._tree.files.read(fh, off, size)

    @answered
    async def write(self, fh: FileHandleT, off: int, buf: bytes) -> int:
        if len(buf) >= _LONG_WRITE_BYTES or self._tree.files.waits(fh):
            return await self._waiting_for_disk(partial(self._tree.files.write, fh, off, buf))
        return self._tree.files.write(fh, off, buf)

    @answered
    async def flush(self, fh: FileHandleT) -> None:
        # Writes are through already. Told so once, the kernel stops asking at each close(2).
        raise pyfuse3.FUSEError(errno.ENOSYS)

    @answered
    async def fsync(self, fh: FileHandleT, datasync: bool) -> None:
        await self._waiting_for_disk(partial(self._tree.files.fsync, fh, data_only=datasync))

    @answered
    async def release(self, fh: FileHandleT) -> None:
        self._tree.files.release(fh)

    # Open directories

    @answered
    async def opendir(self, inode: InodeT, ctx: pyfuse3.RequestContext) -> FileHandleT:
        return FileHandleT(self._tree.directories.open(inode))

    @answered
    async def readdir(self, fh: FileHandleT, start_id: int, token: pyfuse3.ReaddirToken) -> None:
        if self._tree.directories.waits(fh):
            await self._waiting_for_disk(partial(self._list, fh, start_id, token))
        else:
            self._list(fh, start_id, token)

    def _list(self, fh: FileHandleT, start_id: int, token: pyfuse3.ReaddirToken) -> None:
        taken = False
        try:
            for name, told, following in self._tree.directories.entries(fh, start_id):
                if not pyfuse3.readdir_reply(token, FileNameT(name), replies.entry(told), following):
                    if name not in (b".", b".."):
                        self._tree.directories.refused(told.number)
                    return
                taken = True
        except Exception as error:
            # The entries that the kernel was to take are lookups, which an error would keep from it. The next reading
            # begins with what failed, and answers so.
            if not taken:
                raise
            errno_of("readdir", error)

    @answered
    async def fsyncdir(self, fh: FileHandleT, datasync: bool) -> None:
        await self._waiting_for_disk(partial(self._tree.directories.fsync, fh))

    @answered
    async def releasedir(self, fh: FileHandleT) -> None:
        self._tree.directories.release(fh)
