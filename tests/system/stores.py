"""The two stores as an operator meets them: what to tell `katafs mount`, and what the store itself says."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.harness.engine import Engine


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


@dataclass(frozen=True)
class InEngine:
    """The volumes of a Docker Engine."""

    engine: Engine
    volumes: str = "docker"

    @property
    def env(self) -> Mapping[str, str]:
        return self.engine.env

    def names(self) -> set[str]:
        return self.engine.volumes()

    def directory(self, volume: str) -> Path:
        return Path(self.engine.cli("volume", "inspect", "--format={{.Mountpoint}}", volume).stdout.strip())

    def emptied(self) -> "InEngine":
        """The same without volumes: tests share an engine."""
        if names := self.names():
            self.engine.cli("volume", "rm", "--force", *sorted(names))
        return self
