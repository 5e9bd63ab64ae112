"""A whole kata in one directory, gathered from its volumes and compared with them.

The volumes are only read, by descriptor: links are copied and never followed, and nothing of a volume is ever run.
"""

import contextlib
import errno
import os
from collections.abc import Iterator

from katafs.errors import ExportFailed, OwnersNotKept
from katafs.kata_id import AvatarName, KataId, avatar_volume
from katafs.namespace import SANDBOX_NAME
from katafs.rooted import files, inodes, names
from katafs.rooted.comparing import differences
from katafs.rooted.copying import copy_tree
from katafs.rooted.surveys import survey
from katafs.storers.places import Places
from katafs.volumes.store import VolumeStore


def gather(store: VolumeStore, kata: KataId, target: int) -> None:
    """Make an empty directory what a server has for this kata, with every sandbox in its place.

    Raises KataNotFound, ExportFailed, StoreUnreachable, VolumeRefused."""
    places = Places(store)
    with places.kata(kata) as top:
        _copy(top, target, f"kata {kata}")
    for avatar in store.catalog().avatars_of(kata):
        with places.volume(avatar_volume(kata, avatar)) as own, failures(f"avatar {avatar} of kata {kata}"):
            _put_sandbox(own, target, kata, avatar)


@contextlib.contextmanager
def failures(what: str) -> Iterator[None]:
    """Make what the system says a fault that names the place."""
    try:
        yield
    except OSError as problem:
        path = problem.filename
        where = f" at {os.fsdecode(path)!r}" if isinstance(path, str | bytes) and path not in (b"", b".") else ""
        raise ExportFailed(f"{what} can't be exported{where}: {problem.strerror}") from problem


def _copy(source: int, target: int, what: str) -> None:
    with failures(what), _owners_kept(what):
        before = survey(source)
        if before.devices:
            raise ExportFailed(f"{what} can't be exported: {os.fsdecode(before.devices[0])!r} is a device")
        copy_tree(source, target)
        for difference in differences(source, target):
            raise ExportFailed(f"{what} can't be exported, since it changes meanwhile: {difference}")
        if survey(source).fingerprint != before.fingerprint:
            raise ExportFailed(f"{what} can't be exported, since it changes meanwhile")
        if os.fstat(source).st_nlink == 0:  # an empty directory is what is left of a volume, and equals its copy
            raise ExportFailed(f"{what} can't be exported, since it was removed meanwhile")


@contextlib.contextmanager
def _owners_kept(what: str) -> Iterator[None]:
    """Make EPERM, with which others' files answer, OwnersNotKept: they can't be read without a trace (O_NOATIME), nor
    can what is copied be given to another owner."""
    try:
        yield
    except PermissionError as refused:
        if refused.errno != errno.EPERM or os.geteuid() == 0:
            raise
        raise OwnersNotKept(f"{what} can't be exported but by root: not all of its files are this user's") from refused


def _put_sandbox(own: int, target: int, kata: KataId, avatar: AvatarName) -> None:
    """Copy a sandbox that is a volume to where it belongs, `<avatar>/sandbox`. The avatar's directory stays as old."""
    name = avatar.encode()
    if files.status_of(target, name) is None:
        _make_directory(target, name, os.fstat(own))
    with files.opened_directory(target, name) as directory:
        mtime_ns = os.fstat(directory).st_mtime_ns
        if files.status_of(directory, SANDBOX_NAME) is None:
            names.make_directory(directory, SANDBOX_NAME, 0o700)
        with files.opened_directory(directory, SANDBOX_NAME) as sandbox:
            if not names.is_empty(sandbox):
                raise ExportFailed(f"avatar {avatar} of kata {kata} has two sandboxes, and only one place for them")
            _copy(own, sandbox, f"the sandbox of avatar {avatar} of kata {kata}")
        inodes.set_times(directory, None, mtime_ns)


def _make_directory(target: int, name: bytes, like: os.stat_result) -> None:
    """A directory for an avatar that has nothing but its sandbox."""
    mtime_ns = os.fstat(target).st_mtime_ns
    names.make_directory(target, name, 0o755)
    with files.opened_directory(target, name) as directory:
        inodes.give(directory, like)
    inodes.set_times(target, None, mtime_ns)
