"""The volume of what is in no kata: the top of an old disk, its outer directories, and the strays in both."""

import contextlib
import os
import stat
from collections.abc import Iterator

from katafs.converter.spots import Spot, volume_spot
from katafs.kata_id import ROOT_VOLUME
from katafs.rooted import copying, files, inodes, names
from katafs.volumes.legacy_disk import OWN_PREFIX, LegacyDisk, Piece
from katafs.volumes.store import VolumeStore

_AS_MADE_MODE = 0o755


class RootVolume:
    """The root volume of a store, as a disk's conversion fills it. Safe for several threads and processes."""

    def __init__(self, disk: LegacyDisk, store: VolumeStore) -> None:
        self._disk = disk
        self._store = store

    def keep_outer(self, outer: str) -> None:
        """Make an outer directory in the root volume, as it is on the disk, if it isn't there; with "", only the root
        volume itself. From then on the disk's own may change: it is no longer what is shown."""
        self._make()
        with volume_spot(self._store, ROOT_VOLUME) as (top, beside):
            self._give_times_back("", top)
            name = outer.encode()
            if not outer:
                return
            if not files.is_directory(top, name):
                self._copy_outer(outer, top, beside)
            with files.opened_directory(top, name) as directory:
                self._give_times_back(outer, directory)

    @contextlib.contextmanager
    def folder(self, outer: str) -> Iterator[int | None]:
        """An outer directory of the root volume, or with "" its top; None where there is none."""
        with contextlib.ExitStack() as opened:
            folder = None
            if self._store.exists(ROOT_VOLUME):
                folder = self._store.open(ROOT_VOLUME)
                opened.callback(os.close, folder)
            if folder is not None and outer:
                try:
                    folder = opened.enter_context(Spot(folder, outer.encode()).opened())
                except (FileNotFoundError, NotADirectoryError):
                    folder = None
            yield folder

    @contextlib.contextmanager
    def times_kept(self, outer: str, directory: int) -> Iterator[None]:
        """Give one of its directories its times back when an entry has been put into it, whoever else puts one into it,
        and also after a kill."""
        with self._disk.locks.claim(Piece(outer, b"").key), inodes.times_kept_through_kills(directory):
            yield

    def _give_times_back(self, outer: str, directory: int) -> None:
        with self._disk.locks.claim(Piece(outer, b"").key):
            inodes.give_times_back(directory)

    def _make(self) -> None:
        """Make the root volume, as the top of the disk is. One that a kill left as the store had made it is dressed
        then."""
        with contextlib.suppress(FileExistsError):
            if not self._store.exists(ROOT_VOLUME):
                self._store.create(ROOT_VOLUME)
        top = self._store.open(ROOT_VOLUME)
        try:
            wanted = os.fstat(self._disk.top)
            if _is_as_made(os.fstat(top), wanted) and names.is_empty(top):
                # The times first: they stay through all that follows, and the mode tells that all is done.
                inodes.set_times(top, wanted.st_atime_ns, wanted.st_mtime_ns)
                copying.copy_attributes(self._disk.top, top)
        finally:
            os.close(top)

    def _copy_outer(self, outer: str, top: int, beside: Spot) -> None:
        staged = Spot(beside.folder, OWN_PREFIX + b"outer-" + outer.encode() + b"-" + self._disk.locks.identity)
        with self.times_kept("", top):
            staged.remove()
            if files.is_directory(top, outer.encode()):
                return
            names.make_directory(staged.folder, staged.name, 0o700)
            try:
                with self._disk.folder(outer) as original, staged.opened() as copy:
                    copying.copy_attributes(original, copy)
                with contextlib.suppress(FileExistsError):
                    staged.rename_to(Spot(top, outer.encode()))
            finally:
                staged.remove()


def _is_as_made(status: os.stat_result, wanted: os.stat_result) -> bool:
    """Whether a root volume's top is as stores make it, or has got no more than its owner since."""
    owners = (0, 0), (wanted.st_uid, wanted.st_gid)
    return stat.S_IMODE(status.st_mode) == _AS_MADE_MODE and (status.st_uid, status.st_gid) in owners
