"""A name in a directory as one thing to be surveyed, copied, compared, moved and removed, whatever it stands for."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from katafs.errors import ConversionRefused, PieceBusy, PieceChanged
from katafs.kata_id import VolumeName
from katafs.rooted import comparing, copying, files, leases, names, surveys
from katafs.rooted.leases import Leases
from katafs.rooted.mounts import through_one_mount
from katafs.rooted.removing import remove_tree
from katafs.rooted.seen import Seen
from katafs.rooted.surveys import Hold, Survey
from katafs.volumes.store import VolumeStore

_STAGED_MODE = 0o700
_WENT_AWAY = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


@dataclass(frozen=True, slots=True)
class Spot:
    """A name below a descriptor that belongs to somebody else."""

    folder: int
    name: bytes

    def status(self) -> os.stat_result | None:
        """The status of what is there; None where nothing is."""
        return files.status_of(self.folder, self.name)

    def is_directory(self) -> bool:
        """Whether a directory is there."""
        return files.is_directory(self.folder, self.name)

    def survey(self, seen: Seen | None = None, hold: Hold | None = None) -> Survey:
        """What is there, counted, with a fingerprint of it. What is in a directory goes into `seen`. Raises OSError for
        what can't be read."""
        if not self.is_directory():
            return surveys.survey_entry(self.folder, self.name, hold)
        with self.opened() as directory:
            return surveys.survey(directory, seen, hold)

    def survey_unwritten(self) -> Survey:
        """The same. Raises OSError(EBUSY) where somebody has what is there open for writing, or mapped.

        For what is to be read: what is written through a mapping that was there before shows in no later survey, and
        what is written through one that is made from now on does."""
        return self.survey(hold=leases.refuse_writer)

    @contextlib.contextmanager
    def held_still(self, seen: Seen | None = None) -> Iterator[tuple[Leases, Survey]]:
        """Have everybody wait who wants to write to what is there, which is surveyed meanwhile. Raises OSError(EBUSY)
        where somebody does already."""
        with contextlib.closing(Leases()) as held:
            yield held, self.survey(seen, held.take)

    def copy_to(self, target: "Spot") -> None:
        """Make a copy with everything kept, which is on the disk on return. Raises OSError(EEXIST)."""
        if not self.is_directory():
            copying.copy_entry(self.folder, self.name, target.folder, target.name)
            return
        names.make_directory(target.folder, target.name, _STAGED_MODE)
        with self.opened() as source, target.opened() as copy:
            copying.copy_tree(source, copy)

    def difference_from(self, other: "Spot") -> str | None:
        """The first difference between the two, in words; None where they are equal."""
        if not (self.is_directory() and other.is_directory()):
            return next(comparing.entry_differences(self.folder, self.name, other.folder, other.name), None)
        with self.opened() as left, other.opened() as right:
            return next(comparing.differences(left, right), None)

    def rename_to(self, target: "Spot", flags: int = names.RENAME_NOREPLACE) -> None:
        """renameat2(2) in one file system, also where two mounts show it; without flags an empty directory is replaced.

        Raises OSError(EXDEV) where they are on two."""
        with through_one_mount(self.folder, target.folder) as (old, new):
            names.rename(old, self.name, new, target.name, flags)

    def remove(self, seen: Seen | None = None) -> None:
        """Remove what is there with all that is in it; nothing there is no error. With `seen` what came into a
        directory later, or changed, stays: raises OSError(ENOTEMPTY) then."""
        status = self.status()
        if status is None:
            return
        if stat.S_ISDIR(status.st_mode):
            remove_tree(self.folder, self.name, seen)
        else:
            names.remove(self.folder, self.name)

    def opened(self) -> contextlib.AbstractContextManager[int]:
        """An O_PATH descriptor of the directory that is there. Raises OSError(ENOTDIR), OSError(ENOENT)."""
        return files.opened_directory(self.folder, self.name)


class Found:
    """What was at a spot when that was looked at, and nothing that has come there since: it is held by a descriptor, or
    that could have its inode number. Ends with `close`."""

    def __init__(self) -> None:
        self._descriptor: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether anything is held."""
        return self._descriptor is not None

    def look(self, spot: Spot) -> None:
        """Hold what is there, and no longer what was held before. Raises OSError(ENOENT)."""
        self.close()
        self._descriptor, _ = names.look(spot.folder, spot.name)

    def has(self, status: os.stat_result) -> bool:
        """Whether this is the status of what is held."""
        return self._descriptor is not None and os.path.samestat(status, os.fstat(self._descriptor))

    def close(self) -> None:
        """Hold nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextlib.contextmanager
def changes_told() -> Iterator[None]:
    """Raise what the piece is found in the middle of as PieceBusy or PieceChanged: it may pass."""
    try:
        yield
    except OSError as problem:
        where = os.fsdecode(problem.filename or b"")
        if problem.errno in (errno.EBUSY, errno.EAGAIN):
            raise PieceBusy(f"{where} in it is open for writing") from problem
        if problem.errno in _WENT_AWAY:
            raise PieceChanged(f"it changed while it was read: {where} is gone") from problem
        raise


def refuse_changed(now: Survey, before: Survey) -> None:
    """Raise PieceChanged where two surveys of a piece differ."""
    if now.fingerprint != before.fingerprint:
        raise PieceChanged("it changed while it was copied")


def refuse_different(source: Spot, spot: Spot, so: str, *, still: bool) -> None:
    """Raise ConversionRefused where the two differ; `still`: PieceBusy where somebody may write to the source."""
    with changes_told():
        if still:
            source.survey_unwritten()
        difference = source.difference_from(spot)
    if difference is not None:
        raise ConversionRefused(f"{so}, {difference}")


@contextlib.contextmanager
def volume_spot(store: VolumeStore, volume: VolumeName) -> Iterator[tuple[int, Spot]]:
    """A volume's top, and where that is. Raises ConversionRefused for an OSError(EBUSY) of the block."""
    top = store.open(volume)
    try:
        folder, name = files.parent_of(top)
        try:
            yield top, Spot(folder, name)
        except OSError as problem:
            if problem.errno == errno.EBUSY:
                raise ConversionRefused(f"volume {volume} is a mount point, which nothing can replace") from problem
            raise
        finally:
            os.close(folder)
    finally:
        os.close(top)
