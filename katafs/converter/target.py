"""Where one piece goes, and what is known of what is there: whether it is the piece, and the disk has that still."""

import contextlib
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from katafs.converter import marks
from katafs.converter.spots import Found, Spot
from katafs.errors import ConversionRefused
from katafs.rooted import files, names


@dataclass(slots=True)
class Target:
    """Where a piece goes, and where its copy may grow before."""

    spot: Spot
    staged: Spot
    """On the same file system as the spot, and seen by nobody."""
    replaces: bool
    """Whether an empty directory is at the spot, which a rename without flags replaces."""
    filled: bool
    """Whether what was at the spot is the piece already: all but the commit was done."""
    origin: bytes
    """What tells the disk from any other."""
    arriving: Callable[[], contextlib.AbstractContextManager[None]]
    """For the moment of the rename to the spot."""
    committed: bool = field(default=False, init=False)
    """Whether the disk has it no longer: what stands there now is something else."""
    _piece: Found = field(default_factory=Found, init=False)
    """What is the piece at the spot, or is to be."""

    def __post_init__(self) -> None:
        if self.filled:
            self._piece.look(self.spot)

    def close(self) -> None:
        """Let go of what is at the spot."""
        self._piece.close()

    def take(self, source: Spot, *, commits: bool = False) -> None:
        """Bring what is whole to the spot: the staged copy, or the piece itself, which `commits` it."""
        with self.arriving():
            self._piece.look(source)
            self.committed = commits  # before, since what is moved is nowhere else, whatever comes between
            try:
                source.rename_to(self.spot, 0 if self.replaces else names.RENAME_NOREPLACE)
            except OSError as problem:
                left = source.status()
                self.committed = commits and (left is None or not self._piece.has(left))
                if problem.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    raise ConversionRefused("something else has come to its place in the volume meanwhile") from problem
                raise
        files.sync_directory(self.spot.folder)

    def may_withdraw(self) -> bool:
        """Whether what was brought to the spot is there, and not somebody else's, and the disk has it, too."""
        return not self.filled and not self.committed and self.holds_it()

    def holds_it(self) -> bool:
        """Whether the piece is at the spot still, also where it was there before."""
        there = self.spot.status()
        return there is not None and self._piece.has(there)

    def mark_staged(self) -> None:
        """Say of the copy that it isn't committed."""
        with self.staged.opened() as top:
            marks.put(top, self.origin)

    def unmark(self) -> bool:
        """Take that back, right after the commit; False where the piece isn't at the spot any more."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self.spot.opened() as top:
            if self._piece.has(os.fstat(top)):
                marks.take_away(top, self.origin)
                return True
        return False
