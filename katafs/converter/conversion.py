"""One piece of the old disk, converted: moved where disk and store share a file system, else copied and compared.

The commit is one rename. Before it the disk has the piece, and is the truth; after it the volume has.
"""

import contextlib
import errno
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from katafs.converter.results import Outcome
from katafs.converter.root_volume import RootVolume
from katafs.converter.spots import Spot, changes_told
from katafs.converter.targets import Target, Targets
from katafs.errors import ConversionRefused, KatafsError, LeftBehind, PieceChanged, VolumeRefused, WrittenLate
from katafs.kata_id import ROOT_VOLUME, KataId, kata_volume
from katafs.rooted import files, names
from katafs.rooted.answer import answer
from katafs.rooted.seen import Seen
from katafs.rooted.surveys import Survey
from katafs.volumes.legacy_disk import OWN_PREFIX, LegacyDisk, Piece, piece_of
from katafs.volumes.store import VolumeStore

_NO_TURNS = contextlib.nullcontext()
_NOTHING = Survey(0, 0, (), b"")
_LEAVING = OWN_PREFIX + b"leaving-"
"""Before the name of what was taken off the disk and may have been written to at that moment."""
_DONE = OWN_PREFIX + b"done-"
"""Before the name of what wasn't, and is being deleted."""
_LATE = OWN_PREFIX + b"late-"
"""Before the name of what was, and is kept for a person to look at."""
_ASIDE = re.compile(rb"(?:" + re.escape(_LEAVING) + rb"|" + re.escape(_DONE) + rb")(stray-([0-9a-f]+)|[0-9A-F]{10})")
_REMOVED = "its volume was removed while it was converted"
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

    def convert(self, piece: Piece) -> Converted:
        """Convert a piece, unless that was done before; waits for another who does it now.

        Raises ConversionRefused, PieceBusy, PieceChanged, LeftBehind, StoreUnreachable, and OSError: ENOENT for a
        piece that is nowhere, ENOSPC for a full disk, and whatever the piece itself can't be read with. But for
        LeftBehind the piece is on the disk as it was."""
        with self._disk.locks.claim(piece.key), self._turns:
            if not self._disk.stands(piece):
                self._settle(piece)
                return self.elsewhere(piece)
            self._clear(piece)
            with self._removal_told(piece), self._disk.folder(piece.outer) as folder:
                converted = self._convert(piece, Spot(folder, piece.name))
            self._drop_outer(piece.outer)
            return converted

    @contextlib.contextmanager
    def _removal_told(self, piece: Piece) -> Iterator[None]:
        """Keep a volume that goes meanwhile from being taken for the piece, which stands where it was."""
        try:
            yield
        except FileNotFoundError as gone:
            if self._disk.stands(piece):
                raise KatafsError(_REMOVED) from gone
            raise

    def keep_outer(self, outer: str) -> None:
        """Make an outer directory in the root volume, as it is on the disk, if it isn't there."""
        self._root.keep_outer(outer)

    def tidy(self, outers: Iterable[str]) -> None:
        """Keep these outer directories in the root volume, and remove from the disk those that are empty; and where
        that leaves nothing on the disk, the locks' file. Raises LeftBehind once all that can be is done."""
        left: list[KatafsError] = []
        for outer in outers:
            if self._disk.outer_status(outer) is None:
                continue
            self.keep_outer(outer)
            left += self._clear_rest(outer)
            self._drop_outer(outer)
        left += self._clear_rest("")
        if self._store.exists(ROOT_VOLUME):
            self.keep_outer("")
        if not self._disk.outers() and not self._disk.strays_in(""):
            self._disk.locks.remove_if_alone()
        if left:
            raise LeftBehind("; ".join(map(str, left)))

    def _drop_outer(self, outer: str) -> None:
        """Remove an outer directory from the disk once nothing is left in it; the root volume has it by then."""
        if outer and not self._keep:
            with contextlib.suppress(OSError):  # not empty yet, or gone already
                os.rmdir(outer, dir_fd=self._disk.top)

    def survey(self, piece: Piece) -> Survey:
        """Look at a piece, and at where it goes, without changing anything. Raises as `convert` would, as far as that
        can be seen before."""
        if self._disk.is_read_only():
            raise answer(errno.EROFS)
        with self._disk.folder(piece.outer) as folder:
            source = Spot(folder, piece.name)
            survey = _surveyed(source)
            self._targets.foresee(piece, source)
            return survey

    def elsewhere(self, piece: Piece) -> Converted:
        """What became of a piece that isn't on the disk. Raises OSError(ENOENT) where it is in no volume either."""
        already = self._targets.has_stray(piece) if piece.kata is None else self._store.exists(kata_volume(piece.kata))
        if already:
            return Converted(Outcome.ALREADY)
        raise FileNotFoundError(errno.ENOENT, "is neither on the disk nor in a volume", piece.label)

    def _convert(self, piece: Piece, source: Spot) -> Converted:
        survey = _surveyed(source)
        self._root.keep_outer(piece.outer)
        with self._targets.of(piece, source) as target:
            if not target.filled and not self._keep and self._moved(piece, source, target):
                return Converted(Outcome.MOVED, survey)
            if not target.filled:
                with changes_told():
                    if not self._keep:  # else the disk stays the truth, and the next run copies anew
                        survey = source.survey_unwritten()
                    _copy(source, target, survey)
            if self._keep:
                with changes_told():
                    _refuse_changed(source.survey(), survey)
                return Converted(Outcome.KEPT, survey)
            self._commit(piece, source, target, survey)
        return Converted(Outcome.COPIED, survey)

    def _moved(self, piece: Piece, source: Spot, target: Target) -> bool:
        """Move the piece to its target, which commits it; False where only a copy will do."""
        try:
            target.take(source)
            files.sync_directory(source.folder)
        except OSError as problem:
            if not self._disk.stands(piece) and target.holds_it():
                raise LeftBehind(
                    f"it is in its volume, but may be on the old disk again after a power cut: {problem.strerror}"
                ) from problem
            if problem.errno in _CANNOT_MOVE:
                return False
            raise
        return True

    def _commit(self, piece: Piece, source: Spot, target: Target, survey: Survey) -> None:
        """Take the piece off the disk, in one step, and then delete it."""
        leaving, done = (Spot(source.folder, before + _name_aside(piece)) for before in (_LEAVING, _DONE))
        with contextlib.ExitStack() as stack:
            with changes_told():
                held, held_survey = stack.enter_context(source.held_still())
            _refuse_changed(held_survey, survey)
            self._take_off(piece, source, leaving, target)
            with self._left_told(piece.outer, leaving):
                files.sync_directory(source.folder)
                self._disk.locks.wait_for_readers(piece.key)
                # In this order: who asks to write during the survey is seen by the leases.
                seen = Seen()
                late = leaving.survey(seen).fingerprint != survey.fingerprint or held.broken()
                if not late:
                    leaving.rename_to(done)
        if late:
            raise self._kept(piece.outer, leaving)
        self._delete(piece.outer, done, seen)

    def _take_off(self, piece: Piece, source: Spot, leaving: Spot, target: Target) -> None:
        """Rename it, and back again where its volume is found to be gone."""
        if not target.holds_it():
            raise KatafsError(_REMOVED)
        source.rename_to(leaving)
        target.committed = True
        with self._left_told(piece.outer, leaving):
            if piece.kata is None or target.unmark():
                return
        try:
            leaving.rename_to(source)
        except FileExistsError:
            raise self._kept(piece.outer, leaving, f"{_REMOVED}, and its place was taken; it") from None
        except OSError as problem:
            where = self._where(piece.outer, leaving)
            raise KatafsError(f"{_REMOVED}; it is left as {where}: {problem.strerror}") from problem
        raise KatafsError(_REMOVED)

    def _delete(self, outer: str, done: Spot, seen: Seen | None = None) -> None:
        """Delete what is in its volume. What a program that was at work in there makes meanwhile stays, with what is
        left beside it."""
        with self._left_told(outer, done):
            try:
                done.remove(seen)
            except OSError as problem:
                if problem.errno != errno.ENOTEMPTY:
                    raise
                raise self._kept(outer, done) from problem

    @contextlib.contextmanager
    def _left_told(self, outer: str, aside: Spot) -> Iterator[None]:
        """Raise LeftBehind for what goes wrong once a piece was taken off the disk: that is committed."""
        try:
            yield
        except OSError as problem:
            where = self._where(outer, aside)
            raise LeftBehind(
                f"it is in its volume, but {where} can't be deleted from the old disk: {problem.strerror}"
            ) from problem

    def _where(self, outer: str, aside: Spot) -> str:
        return os.path.join(self._disk.path, outer, os.fsdecode(aside.name))

    def _kept(
        self,
        outer: str,
        aside: Spot,
        what: str = "something wrote to it on the old disk while it was committed; what it wrote to",
    ) -> WrittenLate:
        """Keep what somebody may have written to past the mount, who found it before the commit and wrote after it."""
        name = _LATE + aside.name.removeprefix(_LEAVING).removeprefix(_DONE)
        while Spot(aside.folder, name).status() is not None:
            name += b"+"
        kept = Spot(aside.folder, name)
        try:
            aside.rename_to(kept)
        except OSError as problem:  # no volume need have it
            return WrittenLate(f"{what} is left as {self._where(outer, aside)}: {problem.strerror}")
        return WrittenLate(f"{what} is kept as {self._where(outer, kept)}")

    def _settle(self, piece: Piece) -> None:
        """Do what an earlier run, which was killed, had still to do for a piece that it had committed."""
        if piece.kata is not None:
            self._targets.settle(piece.kata)
        self._clear(piece)

    def _clear(self, piece: Piece) -> None:
        """Delete what an earlier run had taken off the disk when it was killed."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._disk.folder(piece.outer) as folder:
            self._clear_aside(folder, piece.outer, _name_aside(piece), piece.key)

    def _clear_rest(self, outer: str) -> list[KatafsError]:
        """The same for what no piece of a run leads to once it is committed: strays, and katas whose volumes were
        removed since. Gives what was left behind, which keeps nothing else from being deleted."""
        left: list[KatafsError] = []
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._disk.folder(outer) as folder:
            matches = filter(None, map(_ASIDE.fullmatch, names.listing(folder)))
            for name, stray in {(match[1], match[2]) for match in matches}:
                kata = None if stray is not None else KataId(name.decode())
                key = int(stray, 16) if kata is None else piece_of(kata).key
                try:
                    with self._disk.locks.claim(key):
                        if kata is not None and not self._disk.stands(piece_of(kata)):
                            self._targets.settle(kata)  # its mark would be a difference
                        self._clear_aside(folder, outer, name, key)
                except (LeftBehind, VolumeRefused) as problem:
                    left.append(problem)
        return left

    def _clear_aside(self, folder: int, outer: str, name: bytes, key: int) -> None:
        """Delete what nobody wrote to, once nobody reads it any more. Raises LeftBehind: WrittenLate for what somebody
        may have written to."""
        leaving, done = (Spot(folder, before + name) for before in (_LEAVING, _DONE))
        if leaving.status() is None and done.status() is None:
            return
        self._disk.locks.wait_for_readers(key)
        self._delete(outer, done)
        if leaving.status() is not None:
            # The kill came before anybody looked whether it was written to. What equals the volume's was not.
            seen = Seen()
            with contextlib.ExitStack() as stack:
                try:
                    held, _ = stack.enter_context(leaving.held_still(seen))
                except OSError as problem:
                    if problem.errno != errno.EBUSY:
                        raise
                    raise self._kept(outer, leaving) from problem
                if not self._targets.hold(outer, key, leaving):
                    raise self._kept(outer, leaving, "no volume has it as it is on the old disk; it")
                if held.broken():
                    raise self._kept(outer, leaving)
                leaving.rename_to(done)  # half of it would equal nothing, after another kill
            self._delete(outer, done, seen)


def _name_aside(piece: Piece) -> bytes:
    """What a piece is called in the directory it was in while it is taken off the disk, after what says how far."""
    return (piece.kata or f"stray-{piece.key:x}").encode()


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


def _refuse_changed(now: Survey, before: Survey) -> None:
    if now.fingerprint != before.fingerprint:
        raise PieceChanged("it changed while it was copied")


def _copy(source: Spot, target: Target, survey: Survey) -> None:
    """Make a whole copy, compare it, and bring it to the target."""
    try:
        source.copy_to(target.staged)
        difference = source.difference_from(target.staged)
        if difference is not None:
            _refuse_changed(source.survey(), survey)
            raise KatafsError(f"its copy differs, {difference}")
        if target.replaces:
            target.mark_staged()
        target.take(target.staged)
    except BaseException:
        target.staged.remove()
        raise
