"""The faults: what went wrong outside a program's own mistake or the file system's ordinary answers.

An ordinary answer (no such file, not empty) is an OSError with the errno that POSIX names, and is not in this file.
What a fault becomes is decided at the edges: an errno by `katafs.mount.answers`, an exit code by `katafs.cli`.
"""


class KatafsError(Exception):
    """Any fault. Its text is one line that an operator can act on."""


class StoreUnreachable(KatafsError):
    """The store of volumes does not answer: an engine that is down or too old, a directory that is gone."""


class VolumeRefused(KatafsError):
    """A volume exists, but its data is not on this host, so showing a directory for it would show an empty one."""


class MountPointUnusable(KatafsError):
    """The mount point does not exist, is no directory, is not empty, is mounted already, or is busy."""
