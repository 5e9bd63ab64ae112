"""The kernel's FUSE protocol (linux/fuse.h, fuse(4)): mounting, negotiating, reading requests and writing replies.

Knows nothing of katas, or of what a file system does with a request: `operations` says what one has to offer. One
connection is one mount.
"""
