"""The domain on top of the volumes: katas, avatars, test runs and tags, as the servers' code reads and writes them.

Works on any store of volumes, mounted or not. Knows nothing of mounts, FUSE or terminals.
"""
