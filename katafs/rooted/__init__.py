"""File operations below one directory descriptor that can't leave it. The one room that touches bytes in a volume.

Knows nothing of katas, stores or FUSE. A name is one component as bytes; a directory is held by its descriptor; a
symbolic link is an object to be shown and is never followed. Every function answers as its system call does.
"""
