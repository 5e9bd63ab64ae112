"""The old disk: katas as a server left them, `XX/YYYYYYYY` each, and what else lies there, until it is converted.

A *piece* is what is converted as a whole: a kata, or a stray (a file or directory at the top, or in an outer directory,
that is no part of an id). While a piece stands on the disk, the disk is the truth. Knows nothing of what is inside one.
"""

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from katafs.errors import StoreUnreachable
from katafs.kata_id import KataId, inner_of, is_inner, is_outer, kata_id, outer_of
from katafs.rooted import files, inodes, mounts, names
from katafs.rooted.answer import answer
from katafs.volumes.legacy_locks import Locks

OWN_PREFIX = b".katafs-"
"""What katafs itself leaves on the disk for a while begins so, and is no piece."""
_LOST_AND_FOUND = b"lost+found"


@dataclass(frozen=True, slots=True)
class Piece:
    """A kata or a stray, by the outer directory it is in ("" for the top) and its name there."""

    outer: str
    name: bytes
    kata: KataId | None = None

    @property
    def path(self) -> bytes:
        """Relative to the top of the disk."""
        return os.path.join(self.outer.encode(), self.name)

    @property
    def label(self) -> str:
        """What people call it: the kata's id, or the stray's path."""
        return self.kata or os.fsdecode(self.path)

    @property
    def key(self) -> int:
        """What its locks go by, and its name while it is moved aside."""
        return int.from_bytes(hashlib.blake2b(self.path, digest_size=7).digest())


def piece_of(kata: KataId) -> Piece:
    """A kata's piece, whether it stands on the disk or not."""
    return Piece(outer_of(kata), inner_of(kata).encode(), kata)


@dataclass(frozen=True, slots=True)
class _Listing:
    """What is in an outer directory, or at the top."""

    ctime_ns: int
    """The directory's, when it was listed; -1 where a change just then wouldn't show in it. Not its mtime, which rsync
    and tar set back after they have put something into it."""
    outers: list[str] = field(default_factory=list)
    katas: list[KataId] = field(default_factory=list)
    strays: list[bytes] = field(default_factory=list)


class LegacyDisk:
    """What stands on the disk now. Others convert it too, so every answer is read from it. Safe for several threads,
    but for the locks' `hold` and `release`."""

    def __init__(self, path: Path, *, look_only: bool = False) -> None:
        """`look_only` leaves no trace on the disk, and can't convert anything of it.

        Raises StoreUnreachable where the directory is missing, can't be opened, or its locks can't be."""
        self.path = path.absolute()
        try:
            self.top = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as problem:
            raise StoreUnreachable(f"the old disk {path} can't be opened: {problem.strerror}") from problem
        try:
            self.locks = Locks(self.top, make=not look_only)
        except BaseException as problem:
            os.close(self.top)
            if isinstance(problem, OSError):
                raise StoreUnreachable(f"the old disk {path} can't be locked: {problem.strerror}") from problem
            raise
        self._listings: dict[str, _Listing] = {}
        self._left: dict[str, set[KataId]] = {}

    def is_read_only(self) -> bool:
        """Whether nothing can be taken off it: it is mounted so."""
        return mounts.is_read_only(self.top)

    def stands(self, piece: Piece) -> bool:
        """Whether the piece is on the disk."""
        status = self.status(piece)
        return status is not None and (piece.kata is None or stat.S_ISDIR(status.st_mode))

    def status(self, piece: Piece) -> os.stat_result | None:
        """The status of a piece's top; None where it isn't there."""
        try:
            with self.folder(piece.outer) as folder:
                return files.status_of(folder, piece.name)
        except (FileNotFoundError, NotADirectoryError):
            return None

    @contextlib.contextmanager
    def folder(self, outer: str) -> Iterator[int]:
        """A descriptor of an outer directory, or of the top. Raises OSError(ENOENT), OSError(ENOTDIR) for a link."""
        if not outer:
            yield self.top
            return
        descriptor = os.open(outer, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.top)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def look(self, piece: Piece) -> tuple[int, os.stat_result]:
        """An O_PATH descriptor of a piece's top, the caller's to close, and its status. Raises OSError(ENOENT)."""
        with self.folder(piece.outer) as folder:
            return names.look(folder, piece.name)

    def open(self, kata: KataId) -> int:
        """An O_PATH descriptor of a kata's directory, the caller's to close. Raises OSError(ENOENT)."""
        piece = piece_of(kata)
        try:
            with self.folder(piece.outer) as folder:
                return files.open_directory(folder, piece.name)
        except NotADirectoryError:
            raise answer(errno.ENOENT, piece.path) from None

    def stray(self, outer: str, name: bytes) -> Piece | None:
        """The stray of this name, if there is one."""
        if not _may_be_stray(outer, name):
            return None
        piece = Piece(outer, name)
        status = self.status(piece)
        if status is None or (stat.S_ISDIR(status.st_mode) and _is_part_of_id(outer, os.fsdecode(name))):
            return None
        return piece

    def outer_status(self, outer: str) -> os.stat_result | None:
        """The status of an outer directory; None where there is none."""
        status = files.status_of(self.top, outer.encode())
        return status if status is not None and stat.S_ISDIR(status.st_mode) else None

    def outers(self) -> list[str]:
        """The outer directories, sorted."""
        return self._listing("").outers

    def remove_outer(self, outer: str) -> bool:
        """Remove an empty outer directory. False where there is none. Raises OSError(ENOTEMPTY)."""
        if self.outer_status(outer) is None:
            return False
        os.rmdir(outer, dir_fd=self.top)
        return True

    def katas_in(self, outer: str) -> list[KataId]:
        """The katas in an outer directory, sorted."""
        return self._listing(outer).katas

    def left(self, outer: str) -> set[KataId]:
        """The katas that were seen in an outer directory and have left it: a store may not know of them yet. Whoever
        has found one there, or nowhere, takes it out."""
        self._listing(outer)
        return self._left.setdefault(outer, set())

    def outers_seen(self) -> list[str]:
        """The outer directories that there were or are: of those that are gone there may be something in `left`."""
        return [outer for outer in list(self._listings) if outer]

    def strays_in(self, outer: str) -> list[bytes]:
        """The names of the strays in an outer directory, or at the top, sorted."""
        return self._listing(outer).strays

    def _listing(self, outer: str) -> _Listing:
        """What is in an outer directory, or at the top; listed anew only where the directory has changed."""
        known = self._listings.get(outer)
        try:
            with self.folder(outer) as folder:
                status = os.fstat(folder)
                if known is not None and known.ctime_ns == status.st_ctime_ns:
                    return known
                listing = _listed(folder, outer, status.st_ctime_ns if inodes.is_settled(status) else -1)
        except (FileNotFoundError, NotADirectoryError):
            listing = _Listing(-1)
        if known is not None and known.katas:
            self._left.setdefault(outer, set()).update(set(known.katas).difference(listing.katas))
        self._listings[outer] = listing
        return listing

    def close(self) -> None:
        """Let go of the disk."""
        self.locks.close()
        os.close(self.top)


def _listed(folder: int, outer: str, ctime_ns: int) -> _Listing:
    listing = _Listing(ctime_ns)
    readable = names.open_directory_again(folder)
    try:
        with os.scandir(readable) as entries:
            for entry in entries:
                if not _is_part_of_id(outer, entry.name) or not entry.is_dir(follow_symlinks=False):
                    if _may_be_stray(outer, os.fsencode(entry.name)):
                        listing.strays.append(os.fsencode(entry.name))
                elif not outer:
                    listing.outers.append(entry.name)
                elif kata := kata_id(outer + entry.name):
                    listing.katas.append(kata)
    finally:
        os.close(readable)
    listing.outers.sort()
    listing.katas.sort()
    listing.strays.sort()
    return listing


def _may_be_stray(outer: str, name: bytes) -> bool:
    return not name.startswith(OWN_PREFIX) and (bool(outer) or name != _LOST_AND_FOUND)


def _is_part_of_id(outer: str, name: str) -> bool:
    return is_inner(name) if outer else is_outer(name)
