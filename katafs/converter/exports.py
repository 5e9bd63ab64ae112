"""Katas out of their volumes: as the tree that servers have on their disks, without git, or as an archive.

An export is made under a temporary name beside its own, and takes that when it is whole and the disk has it.
"""

import contextlib
import enum
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from katafs.converter.archives import write_archive
from katafs.converter.avatar_forms import to_host_disk, to_tags
from katafs.converter.staging import failures, gather
from katafs.errors import ExportFailed
from katafs.kata_id import ROOT_VOLUME, KataId, inner_of, outer_of
from katafs.rooted import files, inodes, names
from katafs.rooted.copying import synced
from katafs.rooted.removing import remove_own
from katafs.storers.places import Places
from katafs.volumes.store import VolumeStore

_TREE = b"kata"
_OUTER = b"outer"
_ARCHIVE = b"archive"


class Form(enum.Enum):
    """What a kata is exported as."""

    HOST_DISK = "host-disk"
    """`XX/YYYYYYYY/`, every avatar with git, as the servers have it."""
    TAGS = "tags"
    """The same without git: `<avatar>/tags/<n>.json`."""
    TGZ = "tgz"
    """`<id>.tgz`, an archive of the host-disk tree."""


def export(store: VolumeStore, kata: KataId, to: Path, form: Form) -> Path:
    """Write a kata below a directory, which is made if it is missing, and return the path of what was written.

    Raises KataNotFound, ExportFailed, OwnersNotKept, CorruptKata, TooLarge, BadContent, GitFailed, StoreFull,
    StoreUnreachable and VolumeRefused; then nothing was written."""
    with failures(f"kata {kata}"), _target(to) as directory:
        if form is not Form.TGZ:
            return _export_tree(store, kata, to, directory, form)
        return _export_archive(store, kata, to, directory)


def prepare(to: Path) -> None:
    """Make the directory that katas go to, if it is missing. Raises OSError where nothing can be made in it."""
    with _target(to) as directory:
        name = files.temporary_name()
        names.make_directory(directory, name, 0o700)
        names.remove_directory(directory, name)


@contextlib.contextmanager
def _target(to: Path) -> Iterator[int]:
    with contextlib.suppress(FileExistsError):
        to.mkdir()
    descriptor = os.open(to, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _export_tree(store: VolumeStore, kata: KataId, to: Path, directory: int, form: Form) -> Path:
    outer_name, name = outer_of(kata).encode(), inner_of(kata).encode()
    path = to / outer_of(kata) / inner_of(kata)
    with contextlib.ExitStack() as opened:
        beside = directory
        with contextlib.suppress(FileNotFoundError):
            beside = opened.enter_context(files.opened_directory(directory, outer_name))
            _refuse_existing(beside, name, kata, path)
        stage = opened.enter_context(_staged(store, kata, beside, form))
        if not _published_in_outer(store, stage, directory, outer_name, name):
            with files.opened_directory(directory, outer_name) as outer:
                _publish(stage, _TREE, outer, name, kata, path)
    return path


def _export_archive(store: VolumeStore, kata: KataId, to: Path, directory: int) -> Path:
    path = to / f"{kata}.tgz"
    name = os.fsencode(path.name)
    _refuse_existing(directory, name, kata, path)
    with _staged(store, kata, directory, Form.TGZ) as stage:
        with (
            files.opened_directory(stage, _TREE) as tree,
            open(names.create_file(stage, _ARCHIVE, os.O_WRONLY, 0o644), "wb") as file,
        ):
            write_archive(tree, f"{outer_of(kata)}/{inner_of(kata)}", file)
            file.flush()
            os.fsync(file.fileno())
        _publish(stage, _ARCHIVE, directory, name, kata, path)
    return path


@contextlib.contextmanager
def _staged(store: VolumeStore, kata: KataId, directory: int, form: Form) -> Iterator[int]:
    """A new directory that nobody else can enter, gone afterwards, in which `_TREE` is the kata in this form.

    It is closed to others since git runs in there: a kata's owner could have put hooks into its repository. Who owns
    the outer directory that it is in may do as they like there, but not in here."""
    name = files.temporary_name()
    stage = files.make_own_directory(directory, name)
    try:
        try:
            names.make_directory(stage, _TREE, 0o700)
            with files.opened_directory(stage, _TREE) as tree, synced(tree):
                gather(store, kata, tree)
                in_form = to_tags if form is Form.TAGS else to_host_disk
                in_form(tree, kata)
            yield stage
        finally:
            remove_own(directory, name, stage)
    finally:
        os.close(stage)


def _published_in_outer(store: VolumeStore, stage: int, directory: int, outer_name: bytes, name: bytes) -> bool:
    """Give what is complete its own name in a new outer directory, whose it is in the store, or else the kata's, so
    that a server can go on in it. False where there is one: the kata is staged still.

    Both come in one step: no later run would look at what a kill or a fault left of an outer directory."""
    if files.status_of(directory, outer_name) is not None:
        return False
    names.make_directory(stage, _OUTER, 0o755)
    like = _outer_in_store(store, outer_name) or files.status_of(stage, _TREE)
    with files.opened_directory(stage, _OUTER) as outer:
        names.rename(stage, _TREE, outer, name, names.RENAME_NOREPLACE)
        if like is not None and os.geteuid() == 0:
            inodes.set_owner(outer, like.st_uid, like.st_gid)
            inodes.set_mode(outer, stat.S_IMODE(like.st_mode))
        files.sync_directory(outer)
        try:
            names.rename(stage, _OUTER, directory, outer_name, names.RENAME_NOREPLACE)
        except FileExistsError:  # another export's
            names.rename(outer, name, stage, _TREE, names.RENAME_NOREPLACE)
            return False
        try:
            files.sync_directory(directory)
        except BaseException:
            names.rename(outer, name, stage, _TREE, names.RENAME_NOREPLACE)
            with contextlib.suppress(OSError):  # another export may go on in it by now
                names.remove_directory(directory, outer_name)
            raise
    return True


def _outer_in_store(store: VolumeStore, name: bytes) -> os.stat_result | None:
    if not store.exists(ROOT_VOLUME):
        return None
    with Places(store).volume(ROOT_VOLUME) as root:
        status = files.status_of(root, name)
    return status if status is not None and stat.S_ISDIR(status.st_mode) else None


def _refuse_existing(directory: int, name: bytes, kata: KataId, path: Path) -> None:
    if files.status_of(directory, name) is not None:
        raise _existing(kata, path)


def _publish(stage: int, staged: bytes, directory: int, name: bytes, kata: KataId, path: Path) -> None:
    """Give what is complete its own name, which it hasn't where the disk can't be made to keep that."""
    try:
        names.rename(stage, staged, directory, name, names.RENAME_NOREPLACE)
    except FileExistsError:
        raise _existing(kata, path) from None
    try:
        files.sync_directory(directory)
    except BaseException:
        names.rename(directory, name, stage, staged, names.RENAME_NOREPLACE)
        raise


def _existing(kata: KataId, path: Path) -> ExportFailed:
    return ExportFailed(f"kata {kata} can't be exported: {path} exists already")
