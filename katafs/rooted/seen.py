"""What was in a tree at some moment, by which what came or changed later is told."""

import os
import stat


class Seen:
    """Inodes of one file system, each as it was when it was added."""

    def __init__(self) -> None:
        self._times_ns: dict[int, tuple[int | None, int | None]] = {}
        """By the inode's number its mtime and its ctime; None for one that may move."""

    def add(self, status: os.stat_result) -> None:
        """Take an inode in. A directory's times may move: its entries are added themselves."""
        is_directory = stat.S_ISDIR(status.st_mode)
        self._times_ns[status.st_ino] = (None, None) if is_directory else (status.st_mtime_ns, status.st_ctime_ns)

    def has(self, status: os.stat_result) -> bool:
        """Whether the inode was added, and is still as it was."""
        mtime_ns, ctime_ns = self._times_ns.get(status.st_ino, (-1, -1))
        if mtime_ns is None:  # once a directory is removed, the file system gives its number to the next file
            return stat.S_ISDIR(status.st_mode)
        return mtime_ns == status.st_mtime_ns and ctime_ns in (None, status.st_ctime_ns)

    def lost_a_name(self, status: os.stat_result) -> None:
        """Let an inode's ctime move, since one of its names was removed; `status` is of before."""
        if status.st_nlink > 1:
            self._times_ns[status.st_ino] = (status.st_mtime_ns, None)
