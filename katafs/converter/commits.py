"""The commit of a piece that was copied: it is taken off the disk in one step, and then deleted.

Before its deletion it has a name that says how far it has come, by which a later run does the rest after a kill. What
somebody may have written to at that moment is kept.
"""

import contextlib
import errno
import os
import re
from collections.abc import Iterator

from katafs.converter.spots import Spot, changes_told, refuse_changed
from katafs.converter.target import Target
from katafs.converter.targets import Targets
from katafs.errors import KatafsError, LeftBehind, VolumeRefused, WrittenLate
from katafs.kata_id import KataId
from katafs.rooted import files, names
from katafs.rooted.seen import Seen
from katafs.rooted.surveys import Survey
from katafs.volumes.legacy_disk import OWN_PREFIX, LegacyDisk, Piece, piece_of

_LEAVING = OWN_PREFIX + b"leaving-"
"""Before the name of what was taken off the disk and may have been written to at that moment."""
_DONE = OWN_PREFIX + b"done-"
"""Before the name of what wasn't, and is being deleted."""
_LATE = OWN_PREFIX + b"late-"
"""Before the name of what was, and is kept for a person to look at."""
_ASIDE = re.compile(rb"(?:" + re.escape(_LEAVING) + rb"|" + re.escape(_DONE) + rb")(stray-([0-9a-f]+)|[0-9A-F]{10})")
REMOVED = "its volume was removed while it was converted"


class Commits:
    """The commits of one disk's pieces. Whoever calls has the claim of the piece, but for `clear_rest`."""

    def __init__(self, disk: LegacyDisk, targets: Targets) -> None:
        self._disk = disk
        self._targets = targets

    def commit(self, piece: Piece, source: Spot, target: Target, survey: Survey) -> None:
        """Take the piece off the disk, in one step, and then delete it.

        Raises PieceBusy, PieceChanged, and KatafsError where its volume is gone: it is on the disk then. Raises
        LeftBehind for what can't be done after that step."""
        leaving, done = (Spot(source.folder, before + _name_aside(piece)) for before in (_LEAVING, _DONE))
        with contextlib.ExitStack() as stack:
            with changes_told():
                held, held_survey = stack.enter_context(source.held_still())
            refuse_changed(held_survey, survey)
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
            raise KatafsError(REMOVED)
        source.rename_to(leaving)
        target.committed = True
        with self._left_told(piece.outer, leaving):
            if piece.kata is None or target.unmark():
                return
        try:
            leaving.rename_to(source)
        except FileExistsError:
            raise self._kept(piece.outer, leaving, f"{REMOVED}, and its place was taken; it") from None
        except OSError as problem:
            where = self._where(piece.outer, leaving)
            raise KatafsError(f"{REMOVED}; it is left as {where}: {problem.strerror}") from problem
        raise KatafsError(REMOVED)

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

    def settle(self, piece: Piece) -> None:
        """Do what an earlier run, which was killed, had still to do for a piece that it had committed."""
        if piece.kata is not None:
            self._targets.settle(piece.kata)
        self.clear(piece)

    def clear(self, piece: Piece) -> None:
        """Delete what an earlier run had taken off the disk when it was killed."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._disk.folder(piece.outer) as folder:
            self._clear_aside(folder, piece.outer, _name_aside(piece), piece.key)

    def clear_rest(self, outer: str) -> list[KatafsError]:
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
                except (FileNotFoundError, NotADirectoryError):
                    raise
                except OSError as problem:
                    if problem.errno == errno.EBUSY:
                        raise self._kept(outer, leaving) from problem
                    where = self._where(outer, leaving)
                    raise LeftBehind(f"a kill left {where}, which can't be read: {problem.strerror}") from problem
                if not self._targets.hold(outer, key, leaving):
                    raise self._kept(outer, leaving, "no volume has it as it is on the old disk; it")
                if held.broken():
                    raise self._kept(outer, leaving)
                leaving.rename_to(done)  # half of it would equal nothing, after another kill
            self._delete(outer, done, seen)


def _name_aside(piece: Piece) -> bytes:
    """What a piece is called in the directory it was in while it is taken off the disk, after what says how far."""
    return (piece.kata or f"stray-{piece.key:x}").encode()
