"""One piece of the old disk, converted: moved where disk and store share a file system, else copied and compared.

The commit is one rename. Before it the disk has the piece, and is the truth; after it the volume has.
"""

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from katafs.converter.commits import REMOVED, Commits
from katafs.converter.results import Outcome
from katafs.converter.root_volume import RootVolume
from katafs.converter.spots import Spot, changes_told, refuse_changed
from katafs.converter.target import Target
from katafs.converter.targets import Targets
from katafs.errors import ConversionRefused, KatafsError, LeftBehind, VolumeRefused
from katafs.kata_id import ROOT_VOLUME, kata_volume
from katafs.rooted import files
from katafs.rooted.answer import answer
from katafs.rooted.surveys import Survey
from katafs.volumes.legacy_disk import LegacyDisk, Piece
from katafs.volumes.store import VolumeStore

_NO_TURNS = contextlib.nullcontext()
_NOTHING = Survey(0, 0, 0, 0, (), b"")
_CANNOT_MOVE = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.ENOSYS)
"""Two file systems, or no right or no call to reach both through one mount."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of a piece that was no trouble."""

    outcome: Outcome
    survey: Survey = _NOTHING


class Conversion:
    """Converts the pieces of a disk into a store. Safe for several threads, and beside other processes."""

    def __init__(
        self,
        disk: LegacyDisk,
        store: VolumeStore,
        *,
        keep: bool = False,
        turns: contextlib.AbstractContextManager[object] = _NO_TURNS,
    ) -> None:
        """`keep` leaves on the disk what was copied, where it goes on being the truth. `turns`, a semaphore, is for
        those who are at work: not for who waits for another process, which may be for ever."""
        self._disk = disk
        self._turns = turns
        self._store = store
        self._keep = keep
        self._root = RootVolume(disk, store)
        self._targets = Targets(disk, store, self._root, keep=keep)
        self._commits = Commits(disk, self._targets)
        self._told: set[str] = set()
        """What `convert` has said of what was left behind."""

    def convert(self, piece: Piece) -> Converted:
        """Convert a piece, unless that was done before; waits for another who does it now.

        Raises ConversionRefused, PieceBusy, PieceChanged, LeftBehind, StoreUnreachable, and OSError: ENOENT for a
        piece that is nowhere, ENOSPC for a full disk, EROFS for one that is read-only, and whatever the piece itself
        can't be read with. But for LeftBehind the piece is on the disk as it was."""
        with self._disk.locks.claim(piece.key), self._turns, self._remembered():
            if not self._disk.stands(piece):
                self._commits.settle(piece)
                return self.elsewhere(piece)
            self._refuse_read_only()
            self._commits.clear(piece)
            with self._removal_told(piece), self._disk.folder(piece.outer) as folder:
                converted = self._convert(piece, Spot(folder, piece.name))
            self._drop_outer(piece.outer)
            return converted

    @contextlib.contextmanager
    def _remembered(self) -> Iterator[None]:
        try:
            yield
        except (LeftBehind, VolumeRefused) as problem:
            self._told.add(str(problem))
            raise

    @contextlib.contextmanager
    def _removal_told(self, piece: Piece) -> Iterator[None]:
        """Keep a volume that goes meanwhile from being taken for the piece, which stands where it was."""
        try:
            yield
        except FileNotFoundError as gone:
            if self._disk.stands(piece):
                raise KatafsError(REMOVED) from gone
            raise

    def keep_outer(self, outer: str) -> None:
        """Make an outer directory in the root volume, as it is on the disk, if it isn't there."""
        self._root.keep_outer(outer)

    def tidy(self, outers: Iterable[str]) -> None:
        """Keep these outer directories in the root volume, and remove from the disk those that are empty; and where
        that leaves nothing on the disk, the locks' file. Raises LeftBehind once all that can be is done, for what
        `convert` hasn't said the same of."""
        left: list[KatafsError] = []
        for outer in outers:
            if self._disk.outer_status(outer) is None:
                continue
            self.keep_outer(outer)
            left += self._commits.clear_rest(outer)
            self._drop_outer(outer)
        left += self._commits.clear_rest("")
        if self._store.exists(ROOT_VOLUME):
            self.keep_outer("")
        if not self._disk.outers() and not self._disk.strays_in(""):
            self._disk.locks.remove_if_alone()
        untold = [text for text in map(str, left) if text not in self._told]
        if untold:
            raise LeftBehind("; ".join(untold))

    def _drop_outer(self, outer: str) -> None:
        """Remove an outer directory from the disk once nothing is left in it; the root volume has it by then."""
        if outer and not self._keep:
            with contextlib.suppress(OSError):  # not empty yet, or gone already
                os.rmdir(outer, dir_fd=self._disk.top)

    def foresee(self, piece: Piece) -> tuple[Survey, bool]:
        """Look at a piece, and at where it goes, without changing anything; and whether a copy of it is there already.
        Raises as `convert` would, as far as that can be seen before."""
        self._refuse_read_only()
        with self._disk.folder(piece.outer) as folder:
            source = Spot(folder, piece.name)
            survey = _surveyed(source)
            return survey, self._targets.foresee(piece, source)

    def _refuse_read_only(self) -> None:
        """No locks can be kept there either."""
        if self._disk.is_read_only():
            raise answer(errno.EROFS)

    def elsewhere(self, piece: Piece) -> Converted:
        """What became of a piece that isn't on the disk. Raises OSError(ENOENT) where it is in no volume either."""
        already = self._targets.has_stray(piece) if piece.kata is None else self._store.exists(kata_volume(piece.kata))
        if already:
            return Converted(Outcome.ALREADY)
        raise FileNotFoundError(errno.ENOENT, "is neither on the disk nor in a volume", piece.label)

    def _convert(self, piece: Piece, source: Spot) -> Converted:
        survey = _surveyed(source)
        self._root.keep_outer(piece.outer)
        with self._targets.of(piece, source) as target, _refusals_told(source):
            if not target.filled and not self._keep and _moved(source, target):
                return Converted(Outcome.MOVED, survey)
            if not target.filled:
                if not self._keep:  # else the disk stays the truth, and the next run copies anew
                    with changes_told():
                        survey = source.survey_unwritten()
                _copy(source, target, survey)
            if self._keep:
                with changes_told():
                    refuse_changed(source.survey(), survey)
                return Converted(Outcome.KEPT, survey)
            self._commits.commit(piece, source, target, survey)
        return Converted(Outcome.COPIED, survey)


def _surveyed(source: Spot) -> Survey:
    try:
        with changes_told():
            survey = source.survey()
    except OSError as problem:
        if problem.errno == errno.EXDEV:
            raise ConversionRefused(f"something is mounted on {os.fsdecode(problem.filename)} in it") from problem
        raise
    if survey.devices:
        raise ConversionRefused(f"{os.fsdecode(survey.devices[0])} in it is a device node")
    return survey


@contextlib.contextmanager
def _refusals_told(source: Spot) -> Iterator[None]:
    """Refuse as at first sight what has come since then and can't be copied."""
    try:
        yield
    except OSError as problem:
        if problem.errno in (errno.EPERM, errno.EXDEV):
            _surveyed(source)
        if problem.errno == errno.E2BIG:
            raise ConversionRefused(f"{os.fsdecode(problem.filename)} in it: {problem.strerror}") from problem
        raise


def _moved(source: Spot, target: Target) -> bool:
    """Move the piece to its target, which commits it; False where only a copy will do."""
    try:
        target.take(source, commits=True)
        files.sync_directory(source.folder)
    except OSError as problem:
        if target.committed and target.holds_it():
            raise LeftBehind(
                f"it is in its volume, but may be on the old disk again after a power cut: {problem.strerror}"
            ) from problem
        if problem.errno in _CANNOT_MOVE and not target.committed:
            return False
        raise
    return True


def _copy(source: Spot, target: Target, survey: Survey) -> None:
    """Make a whole copy, compare it, and bring it to the target."""
    try:
        with changes_told():
            _make_equal(source, target, survey)
        target.take(target.staged)
    except BaseException:
        target.staged.remove()
        raise


def _make_equal(source: Spot, target: Target, survey: Survey) -> None:
    source.copy_to(target.staged)
    difference = source.difference_from(target.staged)
    if difference is not None:
        refuse_changed(source.survey(), survey)
        raise KatafsError(f"its copy differs, {difference}")
    if target.replaces:
        target.mark_staged()
    else:  # nothing would tell a later run that it wasn't committed, were it old
        refuse_changed(source.survey(), survey)
