"""The file system: virtual directories, inodes, handles and the rules across volumes.

Plain synchronous code that may be called from several threads. Knows nothing of the FUSE binding, or of which store it
serves.
"""
