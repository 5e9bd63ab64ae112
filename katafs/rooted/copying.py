"""Copies of whole trees and of single entries, with everything that Linux keeps of them.

Owns the order in which things are set, since some undo others: a write and a chown clear set-user-ID and
security.capability (chown(2), capabilities(7)), an access ACL is a part of the mode (acl(5)), and an entry in a
directory changes its mtime. So an inode gets its content, then owner, mode, xattrs and times, and a directory the last
four when it is full. Until then all is root's alone. An ACL that an entry inherits from above the target is an xattr
that the source hasn't, and is removed.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from katafs.rooted import contents, inodes, names, syscalls
from katafs.rooted.answer import answer
from katafs.rooted.walks import Entry, met, top_entry, walk

_ROOM_FOR_AN_XATTR = 1 << 20
"""Linux has none of more than 64 KiB (xattr(7))."""


def copy_tree(source: int, target: int) -> None:
    """Make an empty directory equal to another: all that is in it, and its own owner, mode, xattrs and times.

    Kept are types, modes, owners, atime and mtime to the nanosecond, hard links within the tree, xattrs of every
    namespace (those that the process may see: trusted.* wants CAP_SYS_ADMIN), ACLs, holes. The disk has it all when
    this returns. The source's own atimes stay, but for those of symbolic links.

    Raises OSError with the path below the top as its filename: EPERM for a device node, EXDEV where something is
    mounted, EAGAIN for a file that somebody has under a lease, E2BIG for an xattr that the target's file system can't
    have, ENOTEMPTY for a target with entries, EINVAL for one inside the source. What it has made until then
    stays; `removing.remove_all` removes it."""
    if not names.is_empty(target):
        raise answer(errno.ENOTEMPTY, b".")
    copy = _Copy(target)
    try:
        with synced(target), contextlib.closing(walk(source)) as steps:
            for entry, leaving in steps:
                try:
                    if leaving:
                        copy.leave(entry)
                    else:
                        copy.take(entry)
                except OSError as problem:
                    raise entry.located(problem) from None
    finally:
        copy.close()


def copy_entry(source_dir: int, name: bytes, target_dir: int, new_name: bytes) -> None:
    """Copy one entry that isn't a directory, as `copy_tree` does; other names of the same file aren't looked for.

    A kill may leave half of it under the new name. Raises OSError with the name as its filename: EISDIR for a
    directory, EEXIST where the new name is taken, and else as `copy_tree`; then nothing is left under the new name."""
    with synced(target_dir), met(source_dir, name) as entry:
        try:
            if entry.is_directory:
                raise answer(errno.EISDIR)
            _copy_plain(entry, target_dir, new_name)
        except OSError as problem:
            raise entry.located(problem) from None


def copy_attributes(source: int, target: int) -> None:
    """Give a directory another's owner, mode, xattrs and times, and leave alone what is in it."""
    entry = top_entry(source)
    try:
        _dress(entry, target)
    finally:
        os.close(entry.descriptor)


def sync_file_system(directory: int) -> None:
    """Wait until the disk has all that was written to the directory's file system (syncfs(2)).

    One call instead of an fsync for each file and directory of a tree: those would each wait for the journal."""
    with synced(directory):
        pass


@contextlib.contextmanager
def synced(directory: int) -> Iterator[None]:
    """The same at the end of a block that writes there.

    It is asked through a descriptor from before the first write: one that is opened later isn't told of what couldn't
    be written in the background, once anybody else who synced that file system was told of it."""
    readable = names.open_directory_again(directory)
    try:
        yield
        syscalls.sync_file_system(readable)
    finally:
        os.close(readable)


class _Copy:
    """A tree in the making: where the walk through the source stands in the target."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._identity = inodes.identity_of(os.fstat(target))
        self._held: list[int] = []
        """The target's directories on the way down, one for each that the walk is in."""
        self._linked: dict[tuple[int, int], tuple[Entry, int]] = {}
        """By the source's inode: what has been copied and has more names, and how many of them are to come."""

    def close(self) -> None:
        while self._held:
            os.close(self._held.pop())

    def take(self, entry: Entry) -> None:
        if entry.identity == self._identity:
            raise answer(errno.EINVAL)
        if entry.is_directory:
            self._held.append(self._enter(entry))
        elif entry.status.st_nlink > 1:
            self._take_linked(entry)
        else:
            _copy_plain(entry, self._held[-1], entry.name)

    def leave(self, entry: Entry) -> None:
        _dress(entry, self._held[-1])
        os.close(self._held.pop())

    def _enter(self, entry: Entry) -> int:
        if not self._held:
            return os.dup(self._target)
        names.make_directory(self._held[-1], entry.name, 0o700)
        return syscalls.open_inside(self._held[-1], entry.name, os.O_PATH | os.O_DIRECTORY)

    def _take_linked(self, entry: Entry) -> None:
        key = entry.identity
        if key not in self._linked:
            _copy_plain(entry, self._held[-1], entry.name)
            self._linked[key] = (entry, entry.status.st_nlink - 1)
            return
        first, to_come = self._linked[key]
        copied = self._reopen(first)
        try:
            names.make_link(copied, self._held[-1], entry.name)
        finally:
            os.close(copied)
        if to_come > 1:
            self._linked[key] = (first, to_come - 1)
        else:
            del self._linked[key]

    def _reopen(self, first: Entry) -> int:
        """An O_PATH descriptor of what was copied before, by its names: one kept open for each file with more names
        could be more than a process may have."""
        here = os.dup(self._target)
        for name in first.parts:
            try:
                below = syscalls.open_inside(here, name, os.O_PATH)
            finally:
                os.close(here)
            here = below
        return here


def _copy_plain(entry: Entry, directory: int, name: bytes) -> None:
    """Copy what isn't a directory; nothing is left of it where that fails."""
    _make(entry, directory, name)
    try:
        made, _ = names.look(directory, name)
        try:
            if stat.S_ISREG(entry.status.st_mode):
                contents.copy(entry.descriptor, made)
            _dress(entry, made)
        finally:
            os.close(made)
    except BaseException:
        names.remove(directory, name)
        raise


def _make(entry: Entry, directory: int, name: bytes) -> None:
    """Make an inode of the entry's type, without content."""
    mode = entry.status.st_mode
    if stat.S_ISLNK(mode):
        names.make_symlink(directory, name, inodes.read_link(entry.descriptor))
    elif stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        names.make_node(directory, name, stat.S_IFMT(mode) | 0o600, 0)
    else:
        raise answer(errno.EPERM)


def _dress(entry: Entry, made: int) -> None:
    """Give a complete copy the attributes of the entry, in the one order in which none undoes another."""
    status = entry.status
    inodes.set_owner(made, status.st_uid, status.st_gid)
    if not stat.S_ISLNK(status.st_mode):
        inodes.set_mode(made, status.st_mode)
    wanted, found = inodes.all_xattrs(entry.descriptor), inodes.all_xattrs(made)
    for name in found.keys() - wanted.keys():
        inodes.remove_xattr(made, name)
    for name, value in wanted.items():
        if found.get(name) != value:
            _set_xattr(made, name, value)
    inodes.set_times(made, status.st_atime_ns, status.st_mtime_ns)


def _set_xattr(made: int, name: bytes, value: bytes) -> None:
    """Raises OSError(E2BIG) where ext4 or btrfs say ENOSPC of one that an inode of theirs can't have, whatever is free:
    ext4 has a block for all of an inode's, and btrfs a leaf of its tree for each."""
    try:
        inodes.set_xattr(made, name, value)
    except OSError as problem:
        free = os.fstatvfs(made)
        if problem.errno != errno.ENOSPC or free.f_bfree * free.f_frsize < _ROOM_FOR_AN_XATTR:
            raise
        told = f"its extended attribute {os.fsdecode(name)} of {len(value)} bytes is too large for that file system"
        raise OSError(errno.E2BIG, told) from problem
