"""What a conversion would do with a piece, without doing it."""

import os
import time

from katafs.converter.conversion import Conversion
from katafs.converter.oddities import oddities
from katafs.converter.results import Outcome, Result
from katafs.volumes.legacy_disk import LegacyDisk, Piece


def foreseen(conversion: Conversion, disk: LegacyDisk, piece: Piece) -> Result:
    """What would become of a piece, and what looks odd in it. Raises as `Conversion.convert` would, as far as that can
    be seen before."""
    started = time.monotonic()
    if not disk.stands(piece):
        return Result(piece, conversion.elsewhere(piece).outcome)
    survey = conversion.survey(piece)
    reason = "; ".join(_odd(disk, piece))
    seconds = time.monotonic() - started
    return Result(piece, Outcome.WOULD_CONVERT, survey.entries, survey.size_bytes, seconds, reason)


def _odd(disk: LegacyDisk, piece: Piece) -> list[str]:
    if piece.kata is None:
        return []
    directory = disk.open(piece.kata)
    try:
        return list(oddities(directory, piece.kata))
    finally:
        os.close(directory)
