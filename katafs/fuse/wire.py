"""The protocol as data: structures, requests' numbers and flags, as linux/fuse.h has them. No code.

Structures are in the machine's own byte order and without gaps, since the protocol pads each explicitly ("x" here).
"""

from struct import Struct

MAJOR = 7
OLDEST_MINOR = 31
"""Linux 5.4."""
NEWEST_MINOR = 45
"""What is known here; the kernel speaks the lower of its own and this."""

# Every request and every reply

REQUEST_HEADER = Struct("=IIQQIIIHxx")
"""Length, opcode, unique, node, uid, gid, pid, length of extensions in 8 bytes."""
REPLY_HEADER = Struct("=IiQ")
"""Length, negated errno, unique. Of a notification: length, its code, 0."""

# What requests carry; names follow, each with a NUL

INIT_IN = Struct("=IIII")
"""Major, minor, most bytes to read ahead, flags."""
INIT_IN_FLAGS2 = Struct("=I")
"""What follows INIT_IN from minor 36 on."""
FORGET_IN = Struct("=Q")
BATCH_FORGET_IN = Struct("=Ixxxx")
FORGET_ONE = Struct("=QQ")
"""Node, lookups."""
GETATTR_IN = Struct("=Ixxxx8x")
"""Flags, padding, handle."""
SETATTR_IN = Struct("=IxxxxQQQqqqIIIIxxxxIIxxxx")
"""What is valid, handle, size, lock owner, atime, mtime, ctime, their nanoseconds, mode, uid, gid."""
MKNOD_IN = Struct("=IIIxxxx")
"""Mode, device, umask."""
MKDIR_IN = Struct("=II")
"""Mode, umask."""
RENAME_IN = Struct("=Q")
RENAME2_IN = Struct("=QIxxxx")
"""New parent, flags."""
LINK_IN = Struct("=Q")
OPEN_IN = Struct("=II")
"""Flags of open(2), flags of this protocol."""
CREATE_IN = Struct("=IIII")
"""Flags of open(2), mode, umask, flags of this protocol."""
READ_IN = Struct("=QQIIQIxxxx")
"""Handle, offset, size, flags of this protocol, lock owner, flags of open(2)."""
WRITE_IN = READ_IN
RELEASE_IN = Struct("=QIIQ")
"""Handle, flags of open(2), flags of this protocol, lock owner."""
FSYNC_IN = Struct("=QIxxxx")
"""Handle, flags."""
SETXATTR_IN = Struct("=II")
"""Size, flags of setxattr(2)."""
GETXATTR_IN = Struct("=Ixxxx")
FALLOCATE_IN = Struct("=QQQIxxxx")
"""Handle, offset, length, flags of fallocate(2)."""
LSEEK_IN = Struct("=QqIxxxx")
"""Handle, offset, SEEK_DATA or SEEK_HOLE."""
INTERRUPT_IN = Struct("=Q")

# What replies carry

_ATTR = "QqqqqqIIIIIIIIII"
"""Inode, size, blocks, atime, mtime, ctime, their nanoseconds, mode, links, uid, gid, device, block size, flags. Size
and blocks are as stat(2) has them, which a broken disk may make negative."""
INIT_OUT = Struct("=IIIIHHIIHHIIHxx20x")
"""Major, minor, most bytes to read ahead, flags, most requests in the background, when that is congestion, most bytes
of a write, nanoseconds a time is exact to, most pages of a request, map alignment, flags from bit 32 on, how deep a
file system may be stacked on this one, seconds until a request is late."""
ENTRY_OUT = Struct("=QQQQII" + _ATTR)
"""Node, generation, seconds that the name and the attributes are valid, nanoseconds of these, attributes."""
ATTR_OUT = Struct("=QIxxxx" + _ATTR)
OPEN_OUT = Struct("=QIi")
"""Handle, flags, backing id."""
WRITE_OUT = Struct("=Ixxxx")
LSEEK_OUT = Struct("=Q")
STATFS_OUT = Struct("=QQQQQIIIxxxx24x")
"""Blocks, free ones, those for everybody, inodes, free ones, block size, longest name, fragment size."""
XATTR_SIZE_OUT = Struct("=Ixxxx")
DIRENT = Struct("=QQII")
"""Inode, the number to go on with, length of the name, type. The name follows, and zeros up to a multiple of 8."""
INVAL_INODE_OUT = Struct("=Qqq")
"""Node, offset, length; from a negative offset on nothing but attributes, a length of 0 means all."""
INVAL_ENTRY_OUT = Struct("=QII")
"""Parent, length of the name, which follows with a NUL, flags."""
PRUNE_OUT = Struct("=Ixxxx8x")
"""How many nodes follow."""
PRUNE_ONE = Struct("=Q")

# Requests

LOOKUP, FORGET, GETATTR, SETATTR, READLINK, SYMLINK, MKNOD, MKDIR = 1, 2, 3, 4, 5, 6, 8, 9
UNLINK, RMDIR, RENAME, LINK, OPEN, READ, WRITE, STATFS, RELEASE = 10, 11, 12, 13, 14, 15, 16, 17, 18
FSYNC, SETXATTR, GETXATTR, LISTXATTR, REMOVEXATTR, FLUSH, INIT, OPENDIR = 20, 21, 22, 23, 24, 25, 26, 27
RELEASEDIR, FSYNCDIR, ACCESS, CREATE, INTERRUPT, DESTROY = 29, 30, 34, 35, 36, 38
IOCTL, BATCH_FORGET, FALLOCATE, READDIRPLUS, RENAME2, LSEEK = 39, 42, 43, 44, 45, 46

UNANSWERED = frozenset((FORGET, BATCH_FORGET, INTERRUPT))
"""What has no reply."""

NOTIFY_INVAL_INODE, NOTIFY_INVAL_ENTRY, NOTIFY_PRUNE = 2, 3, 9
EXPIRE_ONLY = 1
"""Of an entry: it is looked up anew, and stays what it is if it still is. From Linux 6.2 on."""
PRUNE_MINOR = 45
"""Linux 6.18: the first that knows NOTIFY_PRUNE, for which there is no flag."""

# Flags

ASYNC_READ = 1 << 0
ATOMIC_O_TRUNC = 1 << 3
BIG_WRITES = 1 << 5
AUTO_INVAL_DATA = 1 << 12
DO_READDIRPLUS = 1 << 13
PARALLEL_DIROPS = 1 << 18
MAX_PAGES = 1 << 22
INIT_EXT = 1 << 30
DIRECT_IO_ALLOW_MMAP = 1 << 36
PASSTHROUGH = 1 << 37

SET_MODE, SET_UID, SET_GID, SET_SIZE, SET_ATIME, SET_MTIME, SET_FH, SET_ATIME_NOW, SET_MTIME_NOW = (
    1 << bit for bit in range(9)
)

FOPEN_DIRECT_IO = 1 << 0
FOPEN_KEEP_CACHE = 1 << 1
FOPEN_NONSEEKABLE = 1 << 2
FOPEN_NOFLUSH = 1 << 5
"""From Linux 5.16 on; older ones pass it over."""
FOPEN_PASSTHROUGH = 1 << 7

GETATTR_FH = 1
"""Of an open file: the kernel asks so by itself, and by the name or the inode for stat(2) and fstat(2)."""
FSYNC_DATA_ONLY = 1
WRITE_CACHE = 1
"""A page of a mapping; which open file it came through is a guess."""
WRITE_KILL_SUIDGID = 1 << 2
"""Of an open file that the kernel keeps nothing of: the writer may not leave set-ID bits, and they are left to us."""
