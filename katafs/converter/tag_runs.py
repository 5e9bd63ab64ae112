"""Katas in volumes brought into the git-free form, as a run's work."""

import time
from dataclasses import replace

from katafs.converter.results import GOOD, Outcome, Result
from katafs.converter.runs import Work
from katafs.converter.tag_form import store_as_tags
from katafs.errors import StoreUnreachable
from katafs.kata_id import kata_volume
from katafs.volumes.legacy_disk import Piece
from katafs.volumes.store import VolumeStore

_IN_VOLUME = "it is in its volume, but not in the git-free form"


def with_tags(work: Work, store: VolumeStore, *, drop_git: bool) -> Work:
    """The same work, and then the kata's avatars in the git-free form, where it came to a good end."""

    def whole(piece: Piece) -> Result:
        done = work(piece)
        if piece.kata is None or done.outcome not in GOOD:
            return done
        started = time.monotonic()
        try:
            outcomes = store_as_tags(store, piece.kata, drop_git=drop_git)
        except OSError as problem:
            raise OSError(problem.errno, f"{_IN_VOLUME}: {problem.strerror}") from problem
        except StoreUnreachable as problem:
            raise StoreUnreachable(f"{_IN_VOLUME}: {problem}") from problem
        seconds = done.seconds + time.monotonic() - started
        refused = [each for each in outcomes if each.outcome is Outcome.REFUSED]
        if refused:
            reason = "; ".join(f"{each.avatar}: {each.reason}" for each in refused)
            return replace(done, outcome=Outcome.REFUSED, seconds=seconds, reason=reason)
        stored = any(each.outcome is Outcome.STORED for each in outcomes)
        outcome = Outcome.STORED if stored and done.outcome is Outcome.ALREADY else done.outcome
        return replace(done, outcome=outcome, seconds=seconds)

    return whole


def in_volume(store: VolumeStore, piece: Piece) -> Result:
    """A kata that is to be in a volume already, as a run's work."""
    found = piece.kata is not None and store.exists(kata_volume(piece.kata))
    if found:
        return Result(piece, Outcome.ALREADY)
    return Result(piece, Outcome.MISSING, reason="is in no volume")
