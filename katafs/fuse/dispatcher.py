"""Requests taken apart, handed to the file system's operations, and what their replies carry made of the answers."""

import errno
import os
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from katafs.fuse import replies, wire
from katafs.fuse.operations import NOW_NS, Absent, Answer, Attributes, Later, Opened, Operations, Wanted, Writing
from katafs.fuse.passthrough import Passthrough
from katafs.fuse.requests import Around, Carried, Malformed, Method, Request
from katafs.threads import insisting

Result = TypeVar("Result")


def _then(answer: Answer[Result], made_of: Callable[[Result], Carried]) -> Answer[Carried]:
    """What is made of the answer. The most frequent requests see for themselves whether it is there."""
    return answer.then(made_of) if isinstance(answer, Later) else made_of(answer)


def _listed(listing: replies.Entries) -> Carried:
    content = listing.content()
    return content if listing.given_within is None else Around(listing.given_within, content)


def _nothing(_: object) -> bytes:
    return b""


class Dispatcher:
    """Has one method for each kind of request that is passed on. Each gives what the reply carries, or raises."""

    def __init__(self, operations: Operations, passthrough: Passthrough) -> None:
        self._operations = operations
        self._passthrough = passthrough
        self.may_bypass = False
        """Whether a file of which nothing is cached can be mapped and shared."""
        self.methods: dict[int, Method] = {
            wire.LOOKUP: self.lookup,
            wire.GETATTR: self.getattr,
            wire.SETATTR: self.setattr,
            wire.READLINK: self.readlink,
            wire.SYMLINK: self.symlink,
            wire.MKNOD: self.mknod,
            wire.MKDIR: self.mkdir,
            wire.UNLINK: self.unlink,
            wire.RMDIR: self.rmdir,
            wire.RENAME: self.rename,
            wire.RENAME2: self.rename,
            wire.LINK: self.link,
            wire.OPEN: self.open,
            wire.CREATE: self.create,
            wire.READ: self.read,
            wire.WRITE: self.write,
            wire.STATFS: self.statfs,
            wire.RELEASE: self.release,
            wire.FSYNC: self.fsync,
            wire.FALLOCATE: self.allocate,
            wire.LSEEK: self.seek,
            wire.SETXATTR: self.setxattr,
            wire.GETXATTR: self.getxattr,
            wire.LISTXATTR: self.listxattr,
            wire.REMOVEXATTR: self.removexattr,
            wire.OPENDIR: self.opendir,
            wire.READDIRPLUS: self.readdir,
            wire.RELEASEDIR: self.releasedir,
            wire.FSYNCDIR: self.fsyncdir,
        }
        """What isn't here is answered ENOSYS: once for most kinds, since the kernel then stops asking (FLUSH)."""

    # Names

    def lookup(self, request: Request) -> Answer[Carried]:
        found: Answer[Attributes | Absent] = self._operations.lookup(request.node, request.name())
        return found.then(replies.found) if isinstance(found, Later) else replies.found(found)

    def symlink(self, request: Request) -> Answer[Carried]:
        name, target = request.names(2)
        return _then(self._operations.symlink(request.node, name, target, request), replies.entry)

    def mknod(self, request: Request) -> Answer[Carried]:
        mode, device, _ = wire.MKNOD_IN.unpack_from(request.body)
        name = request.name(wire.MKNOD_IN.size)
        return _then(self._operations.mknod(request.node, name, mode, device, request), replies.entry)

    def mkdir(self, request: Request) -> Answer[Carried]:
        mode, _ = wire.MKDIR_IN.unpack_from(request.body)
        name = request.name(wire.MKDIR_IN.size)
        return _then(self._operations.mkdir(request.node, name, mode, request), replies.entry)

    def link(self, request: Request) -> Answer[Carried]:
        (number,) = wire.LINK_IN.unpack_from(request.body)
        return _then(self._operations.link(number, request.node, request.name(wire.LINK_IN.size)), replies.entry)

    def unlink(self, request: Request) -> Answer[Carried]:
        return _then(self._operations.unlink(request.node, request.name()), _nothing)

    def rmdir(self, request: Request) -> Answer[Carried]:
        return _then(self._operations.rmdir(request.node, request.name()), _nothing)

    def rename(self, request: Request) -> Answer[Carried]:
        parent, old, new, flags = request.move()
        return _then(self._operations.rename((request.node, old), (parent, new), flags), _nothing)

    # Inodes

    def getattr(self, request: Request) -> Answer[Carried]:
        (flags,) = wire.GETATTR_IN.unpack_from(request.body)
        of_open_file = flags & wire.GETATTR_FH
        ask = self._operations.getattr_for_pages if of_open_file else self._operations.getattr
        told = ask(request.node)
        return told.then(replies.attributes) if isinstance(told, Later) else replies.attributes(told)

    def setattr(self, request: Request) -> Answer[Carried]:
        (
            valid, handle, size, _, atime, mtime, _, atime_ns, mtime_ns, _, mode, uid, gid,
        ) = wire.SETATTR_IN.unpack_from(request.body)  # fmt: skip
        wanted = Wanted(
            mode if valid & wire.SET_MODE else None,
            uid if valid & wire.SET_UID else None,
            gid if valid & wire.SET_GID else None,
            size if valid & wire.SET_SIZE else None,
            _time(valid & wire.SET_ATIME, valid & wire.SET_ATIME_NOW, atime, atime_ns),
            _time(valid & wire.SET_MTIME, valid & wire.SET_MTIME_NOW, mtime, mtime_ns),
        )
        through = handle if valid & wire.SET_FH else None
        return _then(self._operations.setattr(request.node, wanted, through, request), replies.attributes)

    def readlink(self, request: Request) -> Answer[Carried]:
        return self._operations.readlink(request.node)

    def statfs(self, request: Request) -> Answer[Carried]:
        return _then(self._operations.statfs(request.node), replies.statistics)

    def getxattr(self, request: Request) -> Answer[Carried]:
        (room,) = wire.GETXATTR_IN.unpack_from(request.body)
        value = self._operations.getxattr(request.node, request.name(wire.GETXATTR_IN.size), request)
        if isinstance(value, Later):
            return value.then(lambda made: replies.fitting(made, room))
        return replies.fitting(value, room)

    def listxattr(self, request: Request) -> Answer[Carried]:
        (room,) = wire.GETXATTR_IN.unpack_from(request.body)
        listed = self._operations.listxattr(request.node, request)
        return _then(listed, lambda names: replies.fitting(replies.names(names), room))

    def setxattr(self, request: Request) -> Answer[Carried]:
        size, flags = wire.SETXATTR_IN.unpack_from(request.body)
        name, _, value = bytes(request.body[wire.SETXATTR_IN.size :]).partition(b"\0")
        if len(value) != size:
            raise Malformed(f"an extended attribute of {len(value)} bytes, not {size}")
        return _then(self._operations.setxattr(request.node, name, value, flags, request), _nothing)

    def removexattr(self, request: Request) -> Answer[Carried]:
        return _then(self._operations.removexattr(request.node, request.name(), request), _nothing)

    # Open files and directories

    def open(self, request: Request) -> Answer[Carried]:
        flags, _ = wire.OPEN_IN.unpack_from(request.body)
        file = self._operations.open(request.node, flags, request)
        return file.then(partial(self._opened, flags)) if isinstance(file, Later) else self._opened(flags, file)

    def create(self, request: Request) -> Answer[Carried]:
        flags, mode, _, _ = wire.CREATE_IN.unpack_from(request.body)
        made = self._operations.create(request.node, request.name(wire.CREATE_IN.size), flags, mode, request)
        return made.then(partial(self._created, flags)) if isinstance(made, Later) else self._created(flags, made)

    def _opened(self, flags: int, file: Opened) -> bytes:
        backing = self._passthrough.opened(file.handle, file.inode, file.descriptor)
        only_read = flags & os.O_ACCMODE == os.O_RDONLY
        return replies.opened(file, backing, may_bypass=self.may_bypass, only_read=only_read)

    def _created(self, flags: int, made: tuple[Attributes, Opened]) -> bytes:
        told, file = made
        return replies.entry(told) + self._opened(flags, file)

    def read(self, request: Request) -> Answer[Carried]:
        handle, offset, size, _, _, _ = wire.READ_IN.unpack_from(request.body)
        return self._operations.read(handle, offset, size)

    def write(self, request: Request) -> Answer[Carried]:
        handle, offset, size, flags, _, open_flags = wire.WRITE_IN.unpack_from(request.body)
        content = request.body[wire.WRITE_IN.size :]
        if len(content) != size:
            raise Malformed(f"a write of {len(content)} bytes, not {size}")
        # The open file's flags, as fcntl(2) has left them, and the write's own; a page's come from no open file.
        whole = bool(flags & wire.WRITE_CACHE)
        how = Writing(
            appends=bool(open_flags & os.O_APPEND) and not whole,
            whole=whole,
            synced=open_flags & os.O_SYNC,
            clears_set_ids=bool(flags & wire.WRITE_KILL_SUIDGID),
        )
        return _then(self._operations.write(handle, offset, content, how), replies.written)

    def fsync(self, request: Request) -> Answer[Carried]:
        handle, flags = wire.FSYNC_IN.unpack_from(request.body)
        return _then(self._operations.fsync(handle, data_only=bool(flags & wire.FSYNC_DATA_ONLY)), _nothing)

    def allocate(self, request: Request) -> Answer[Carried]:
        handle, offset, size_bytes, mode = wire.FALLOCATE_IN.unpack_from(request.body)
        return _then(self._operations.allocate(handle, offset, size_bytes, mode), _nothing)

    def seek(self, request: Request) -> Answer[Carried]:
        handle, offset, whence = wire.LSEEK_IN.unpack_from(request.body)
        if self._passthrough.has(handle):
            return _then(self._operations.seek(handle, offset, whence), wire.LSEEK_OUT.pack)
        if not self._passthrough.is_permitted():
            return errno.ENOSYS  # the kernel then says itself that files have no holes
        # The same here: a page that somebody has mapped and written to may be where the volume has a hole still.
        return _then(self._operations.getattr(request.node), lambda told: replies.without_holes(told, offset, whence))

    def release(self, request: Request) -> Answer[Carried]:
        handle, _, _, _ = wire.RELEASE_IN.unpack_from(request.body)
        try:
            self._passthrough.released(handle)
        finally:
            closing = self._operations.release(handle)
        return b"" if closing is None else closing.then(_nothing)

    def opendir(self, request: Request) -> Answer[Carried]:
        return _then(self._operations.opendir(request.node), replies.opened_directory)

    def readdir(self, request: Request) -> Answer[Carried]:
        handle, start, size, _, _, _ = wire.READ_IN.unpack_from(request.body)
        listing = replies.Entries(size)
        filling = self._operations.readdir(handle, start, listing)
        return _listed(listing) if filling is None else filling.then(lambda _: _listed(listing))

    def fsyncdir(self, request: Request) -> Answer[Carried]:
        handle, _ = wire.FSYNC_IN.unpack_from(request.body)
        return _then(self._operations.fsyncdir(handle), _nothing)

    def releasedir(self, request: Request) -> Answer[Carried]:
        handle, _, _, _ = wire.RELEASE_IN.unpack_from(request.body)
        return _then(self._operations.releasedir(handle), _nothing)

    # Without a reply

    def forget(self, request: Request) -> None:
        """FORGET and BATCH_FORGET, which come once, and when memory is short."""
        self._operations.forget(insisting(request.forgotten))


def _time(given: int, now: int, seconds: int, nanoseconds: int) -> int | None:
    if now:
        return NOW_NS
    return seconds * 1_000_000_000 + nanoseconds if given else None
