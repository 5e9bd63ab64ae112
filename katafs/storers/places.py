"""Where a kata's things are: opens the volumes and directories that the storers work in, and names what is missing.

Knows which volume a sandbox is in. Knows nothing of what the files mean.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from katafs.errors import (
    AvatarNotFound,
    CorruptKata,
    IncrementsMissing,
    KataNotFound,
    ReadOnlyStore,
    StoreFull,
    StorerError,
    TooLarge,
)
from katafs.kata_id import AvatarName, KataId, VolumeName, avatar_volume, kata_volume
from katafs.namespace import SANDBOX_NAME
from katafs.rooted import files, names
from katafs.storers.checks import checked_avatar, checked_id
from katafs.storers.manifests import is_kata
from katafs.storers.start_marks import is_begun, is_begun_in
from katafs.volumes.store import VolumeStore

_FULL = (errno.ENOSPC, errno.EDQUOT)
_MISPLACED = (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.EXDEV)
"""What the system says of a link, a FIFO, a directory or a mount where a file belongs, or a file for a directory."""


@contextmanager
def named_faults(what: str) -> Iterator[None]:
    """Give what the system says while it reads or writes `what` its name among the storers' errors."""
    try:
        yield
    except OSError as problem:
        if problem.errno in _FULL:
            raise StoreFull(f"{what} could not be written: {problem.strerror}") from problem
        if problem.errno == errno.EFBIG:
            raise TooLarge(f"{what} is too large to be read or written at once") from problem
        if problem.errno == errno.EROFS:
            raise ReadOnlyStore(f"{what} could not be written: {problem.strerror}") from problem
        if problem.errno in _MISPLACED:
            raise CorruptKata(f"{_named(problem)}{what} is not what belongs there: {problem.strerror}") from problem
        raise


def _named(problem: OSError) -> str:
    """Which of its files it is, where the system says it. On one line: strangers may have named it."""
    name = problem.filename
    return f"{os.fsdecode(name)!r} of " if isinstance(name, str | bytes) and name else ""


@contextmanager
def _deleted(gone: StorerError, what: str, is_there: Callable[[], bool]) -> Iterator[None]:
    """Let what fails in something that was deleted meanwhile fail for that; what is there lacks a part."""
    try:
        yield
    except (OSError, StorerError) as problem:
        if not is_there():
            raise gone from problem
        if isinstance(problem, FileNotFoundError):
            raise CorruptKata(f"{_named(problem)}{what} isn't there") from problem
        raise


@contextmanager
def in_avatar(top: int, directory: int, kata: KataId, avatar: AvatarName) -> Iterator[None]:
    """Name the faults of what is done in an avatar's directory. Raises AvatarNotFound where it is deleted meanwhile."""
    whose = f"avatar {avatar} of kata {kata}"
    gone = AvatarNotFound(f"{whose} was deleted meanwhile")
    with _deleted(gone, whose, lambda: files.is_at(top, avatar.encode(), directory)), named_faults(whose):
        yield


class Places:
    """Opens what lies in one store."""

    def __init__(self, store: VolumeStore) -> None:
        self.store = store

    @contextmanager
    def volume(self, name: VolumeName) -> Iterator[int]:
        """An O_PATH descriptor of a volume's top. Raises FileNotFoundError."""
        descriptor = self.store.open(name)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def kata(self, kata: str) -> Iterator[int]:
        """The kata's own volume. Raises BadId, KataNotFound."""
        known = checked_id(kata)
        try:
            descriptor = self.store.open(kata_volume(known))
        except FileNotFoundError:
            raise KataNotFound(f"kata {known} is not in {self.store.url}") from None
        try:
            with (
                _deleted(
                    KataNotFound(f"kata {known} was deleted meanwhile, or has nothing in it yet"),
                    f"kata {known}",
                    lambda: self._is_there(kata_volume(known), descriptor),
                ),
                named_faults(f"kata {known}"),
            ):
                yield descriptor
        finally:
            os.close(descriptor)

    def _is_there(self, volume: VolumeName, top: int) -> bool:
        """Whether a kata is still what was opened."""
        return self.is_at(volume, top) and is_kata(set(names.listing(top)))

    def is_at(self, volume: VolumeName, top: int) -> bool:
        """Whether this descriptor's directory is that volume still."""
        with suppress(FileNotFoundError), self.volume(volume) as now:
            return os.path.samestat(os.fstat(now), os.fstat(top))
        return False

    @contextmanager
    def avatar(self, kata: str, name: str) -> Iterator[int]:
        """The directory, in the kata's volume, of an avatar that was started. Raises AvatarNotFound, and
        IncrementsMissing where the avatar has a volume and nothing else."""
        known, avatar = checked_id(kata), checked_avatar(name)
        with self.kata(kata) as top:
            try:
                descriptor = files.open_directory(top, avatar.encode())
            except FileNotFoundError:
                raise self._missing(known, avatar) from None
            try:
                with in_avatar(top, descriptor, known, avatar):
                    if is_begun_in(top, avatar.encode(), descriptor):
                        raise _not_started(known, avatar)
                    yield descriptor
            finally:
                os.close(descriptor)

    def _missing(self, kata: KataId, avatar: AvatarName) -> AvatarNotFound | IncrementsMissing:
        if self.store.exists(avatar_volume(kata, avatar)):
            return IncrementsMissing(f"avatar {avatar} of kata {kata} has a volume, and nothing in the kata's own")
        return _not_started(kata, avatar)

    @contextmanager
    def sandbox(self, kata: str, name: str) -> Iterator[int]:
        """The avatar's sandbox: the volume of its own if there is one, as in a mounted tree, else its directory in the
        kata's volume."""
        known, avatar = checked_id(kata), checked_avatar(name)
        own = avatar_volume(known, avatar)
        if self.store.exists(own):
            whose = f"avatar {name} of kata {kata}"
            with (
                self.kata(kata) as top,  # whose deletion empties this volume first
                _deleted(AvatarNotFound(f"{whose} was deleted meanwhile"), whose, lambda: self.store.exists(own)),
                self.volume(own) as descriptor,
                named_faults(f"the sandbox of {whose}"),
            ):
                if is_begun(top, avatar.encode()):
                    raise _not_started(known, avatar)
                yield descriptor
            return
        with self.avatar(kata, name) as directory:
            try:
                descriptor = files.open_directory(directory, SANDBOX_NAME)
            except FileNotFoundError:
                raise CorruptKata(f"avatar {name} of kata {kata} has no sandbox") from None
            try:
                yield descriptor
            finally:
                os.close(descriptor)


def _not_started(kata: KataId, avatar: AvatarName) -> AvatarNotFound:
    return AvatarNotFound(f"avatar {avatar} was not started in kata {kata}")


class Part:
    """A part of a storer, or all of it: it works in one store."""

    def __init__(self, store: VolumeStore) -> None:
        self._store = store
        self._places = Places(store)
