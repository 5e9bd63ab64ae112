"""The FUSE edge: the one room that knows both the protocol (`katafs.fuse`) and the tree. It translates and never
decides what is true of the tree; it alone says what runs in the thread that reads requests and what in a pool's, and
what errno an error becomes.
"""
