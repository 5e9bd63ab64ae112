"""The tree's answers in the binding's types."""

import os

import pyfuse3

from katafs.tree.attributes import Attributes
from katafs.tree.core import Caller
from katafs.tree.inodes import Changes


def entry(told: Attributes) -> pyfuse3.EntryAttributes:
    """The attributes of an inode, for the kernel to keep as long as they say."""
    reply = pyfuse3.EntryAttributes()
    reply.st_ino = pyfuse3.InodeT(told.number)
    reply.generation = told.generation
    reply.entry_timeout = told.timeout_s
    reply.attr_timeout = told.timeout_s
    reply.st_mode = pyfuse3.ModeT(told.mode)
    reply.st_nlink = told.links
    reply.st_uid = told.uid
    reply.st_gid = told.gid
    reply.st_rdev = told.device
    reply.st_size = told.size
    reply.st_blksize = told.block_size
    reply.st_blocks = told.blocks
    reply.st_atime_ns = told.atime_ns
    reply.st_mtime_ns = told.mtime_ns
    reply.st_ctime_ns = told.ctime_ns
    return reply


def statistics(status: os.statvfs_result) -> pyfuse3.StatvfsData:
    """The figures of a file system."""
    reply = pyfuse3.StatvfsData()
    reply.f_bsize, reply.f_frsize = status.f_bsize, status.f_frsize
    reply.f_blocks, reply.f_bfree, reply.f_bavail = status.f_blocks, status.f_bfree, status.f_bavail
    reply.f_files, reply.f_ffree, reply.f_favail = status.f_files, status.f_ffree, status.f_favail
    reply.f_namemax = status.f_namemax
    return reply


def caller(context: pyfuse3.RequestContext) -> Caller:
    """Who asks."""
    return Caller(context.uid, context.gid)


def changes(attributes: pyfuse3.EntryAttributes, fields: pyfuse3.SetattrFields) -> Changes:
    """What a setattr request is to change."""
    return Changes(
        mode=attributes.st_mode if fields.update_mode else None,
        uid=attributes.st_uid if fields.update_uid else None,
        gid=attributes.st_gid if fields.update_gid else None,
        size=attributes.st_size if fields.update_size else None,
        atime_ns=attributes.st_atime_ns if fields.update_atime else None,
        mtime_ns=attributes.st_mtime_ns if fields.update_mtime else None,
    )
