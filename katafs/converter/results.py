"""What became of a piece of the old disk, and the line of a report that says so."""

import enum
import json
from dataclasses import dataclass

from katafs.volumes.legacy_disk import Piece


class Outcome(enum.Enum):
    """What became of a piece, or of one avatar's form."""

    MOVED = "moved"
    COPIED = "copied"
    KEPT = "kept"
    """Copied, and left on the disk."""
    STORED = "stored"
    """In a volume already, and now in the git-free form too."""
    ALREADY = "already"
    WOULD_CONVERT = "would-convert"
    BUSY = "busy"
    """Open for writing somewhere; left as it was."""
    CHANGED = "changed"
    """Changed while it was copied; left as it was."""
    REFUSED = "refused"
    FAILED = "failed"
    MISSING = "missing"


GOOD = frozenset((Outcome.MOVED, Outcome.COPIED, Outcome.KEPT, Outcome.STORED, Outcome.ALREADY, Outcome.WOULD_CONVERT))
"""The others make a run fail."""

PASSING = frozenset((Outcome.BUSY, Outcome.CHANGED))
"""Worth trying again a while later."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one piece."""

    piece: Piece
    outcome: Outcome
    entries: int = 0
    """The names in it."""
    size_bytes: int = 0
    seconds: float = 0.0
    reason: str = ""
    """Why it wasn't converted, or what looks odd in it."""

    def line(self) -> str:
        """The piece's line in a report, without its end."""
        told = {
            "id": self.piece.label,
            "outcome": self.outcome.value,
            "entries": self.entries,
            "bytes": self.size_bytes,
            "seconds": round(self.seconds, 6),
            "reason": self.reason,
        }
        return json.dumps(told)
