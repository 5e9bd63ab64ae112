"""The two stores as an operator meets them: what to tell `katafs mount`, and what the store itself says."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

STORES = ("directories", "docker")


class Store(Protocol):
    """Where a mount's volumes are kept."""

    @property
    def volumes(self) -> str:
        """The value of `--volumes`."""

    @property
    def env(self) -> Mapping[str, str]:
        """What the daemon must find in its environment."""

    def names(self) -> set[str]:
        """The volumes, as the store's own program lists them."""

    def directory(self, volume: str) -> Path:
        """Where the volume's files are on this host."""


@dataclass(frozen=True)
class Directories:
    """A plain directory of volumes."""

    path: Path
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def volumes(self) -> str:
        return f"dir:{self.path}"

    def names(self) -> set[str]:
        return set(os.listdir(self.path))

    def directory(self, volume: str) -> Path:
        return self.path / volume


@contextmanager
def opened_store(kind: str, directory: Path) -> Iterator[Store]:
    """A store of this kind, without volumes."""
    if kind == "directories":
        path = directory / "volumes"
        path.mkdir()
        yield Directories(path)
        return
    raise NotImplementedError(kind)
