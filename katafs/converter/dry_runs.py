"""What a conversion would do with pieces, without doing it."""

import os
import threading
import time

from katafs.converter.conversion import Conversion
from katafs.converter.oddities import oddities
from katafs.converter.results import Outcome, Result
from katafs.converter.room import Home, Room
from katafs.rooted import mounts
from katafs.rooted.surveys import Survey
from katafs.volumes.legacy_disk import LegacyDisk, Piece


class DryRun:
    """Looks at pieces of a disk, and sums up what their copies take. Safe for several threads."""

    def __init__(self, conversion: Conversion, disk: LegacyDisk, home: Home | None, *, keep: bool) -> None:
        """`home`: where the volumes are, if that is known; `keep`: whether all would be copied."""
        self._conversion = conversion
        self._disk = disk
        self._home = home
        self._keep = keep
        self._lock = threading.Lock()
        """Covers what is summed up."""
        self._inodes = self._disk_bytes = 0
        self._at_home: dict[int, bool] = {}
        """By st_dev: to look it up takes milliseconds on a machine with many mounts."""

    @property
    def taken(self) -> Room:
        """What the copies of all that was looked at take."""
        with self._lock:
            return Room(self._disk_bytes, self._inodes)

    def foreseen(self, piece: Piece) -> Result:
        """What would become of a piece, and what looks odd in it. Raises as `Conversion.convert` would, as far as that
        can be seen before."""
        started = time.monotonic()
        if not self._disk.stands(piece):
            return Result(piece, self._conversion.elsewhere(piece).outcome)
        survey, is_there = self._conversion.foresee(piece)
        if not is_there and (self._keep or not self._stays_at_home(piece)):
            self._add(survey)
        reason = "; ".join(_odd(self._disk, piece))
        seconds = time.monotonic() - started
        return Result(piece, Outcome.WOULD_CONVERT, survey.entries, survey.size_bytes, seconds, reason)

    def _stays_at_home(self, piece: Piece) -> bool:
        """Whether it is in the volumes' file system: moved there, or copied to another subvolume and then deleted, it
        takes no more room."""
        with self._disk.folder(piece.outer) as folder:
            device = os.fstat(folder).st_dev
            if device not in self._at_home:
                self._at_home[device] = self._home is not None and _is_in(self._home.file_system, folder)
            return self._at_home[device]

    def _add(self, survey: Survey) -> None:
        with self._lock:
            self._inodes += survey.inodes
            self._disk_bytes += survey.disk_bytes


def _is_in(file_system: bytes, directory: int) -> bool:
    return mounts.mount_of(directory).device == file_system


def _odd(disk: LegacyDisk, piece: Piece) -> list[str]:
    if piece.kata is None:
        return ["belongs to no kata"]
    directory = disk.open(piece.kata)
    try:
        return list(oddities(directory, piece.kata))
    finally:
        os.close(directory)
