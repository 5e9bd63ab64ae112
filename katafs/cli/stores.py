"""Which store a command works on."""

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from katafs.converter.conversion import Conversion
from katafs.converter.guards import refuse_source
from katafs.errors import KatafsError, StoreUnreachable
from katafs.settings.kinds import DIRECTORY_SCHEME, DOCKER
from katafs.settings.settings import DEFAULT_DIRECTORY
from katafs.tree.legacy import Mover
from katafs.volumes.directories import DirectoryStore
from katafs.volumes.legacy_disk import LegacyDisk
from katafs.volumes.legacy_store import LegacyStore
from katafs.volumes.store import VolumeStore

_log = logging.getLogger(__name__)

_CONVERSIONS_AT_ONCE = 8
_SIGNS_OF_AN_ENGINE = ("/var/run/docker.sock", "/var/lib/docker")
"""Docker's socket, and its data: while it is down it may have no socket."""


def open_store(volumes: str | None, prefix: str, *, create_missing: bool = False) -> VolumeStore:
    """The store that the settings name; `create_missing` makes the default's directory. Raises StoreUnreachable."""
    if volumes is None:
        return _default_store(prefix, create_missing)
    if volumes == DOCKER:
        return _docker(prefix)
    return DirectoryStore(Path(volumes.removeprefix(DIRECTORY_SCHEME)), prefix)


@contextlib.contextmanager
def opened_stores(volumes: str | None, prefix: str, legacy: Path | None) -> Iterator[tuple[VolumeStore, Mover | None]]:
    """The store that the options name, together with the legacy disk if there is one, and then what converts it."""
    with contextlib.closing(open_store(volumes, prefix, create_missing=True)) as store:
        _log.info("volumes", extra={"store": store.url})
        if legacy is None:
            yield store, None
            return
        if os.geteuid() != 0:
            raise KatafsError("--legacy needs root: a conversion keeps the owners of all files")
        with contextlib.closing(LegacyDisk(legacy)) as disk:
            refuse_source(disk, store)
            _log.info("old disk", extra={"path": disk.path})
            yield (
                LegacyStore(store, disk),
                Conversion(disk, store, turns=threading.BoundedSemaphore(_CONVERSIONS_AT_ONCE)),
            )


def _default_store(prefix: str, create_missing: bool) -> VolumeStore:
    """The engine's also while that is down: its katas are in no directory, and none is to be converted into one."""
    sign = _sign_of_an_engine()
    if sign is None:
        return DirectoryStore(DEFAULT_DIRECTORY, prefix, create_missing=create_missing)
    try:
        return _docker(prefix)
    except StoreUnreachable as fault:
        # Its data may be what a Docker that was removed has left, and katas be among that: whoever knows must say.
        raise StoreUnreachable(f"{fault} (it is asked because of {sign}; --volumes names another store)") from fault


def engine_is_here() -> bool:
    """Whether there is a sign of an engine, which may be down; it isn't asked."""
    return _sign_of_an_engine() is not None


def _sign_of_an_engine() -> str | None:
    if os.environ.get("DOCKER_HOST"):
        return "DOCKER_HOST"
    return next(filter(os.path.exists, _SIGNS_OF_AN_ENGINE), None)


def _docker(prefix: str) -> VolumeStore:
    # Imported where it is chosen: Docker's library takes as long to load as everything else together.
    from katafs.volumes.docker import DockerStore

    return DockerStore(prefix)
