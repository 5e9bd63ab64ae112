"""Asks systemd for katafs' units, each of which mounts what its file of settings says. It may hang: see `asking`."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from katafs.mount.mount_point import TYPE, mounted_types, resolved

_UNITS = "katafs@{}.service"
_SETTINGS = Path("/etc/katafs")
"""Where the units' files of settings are, one an instance."""
_SHOWN = "Id,ActiveState,UnitFileState,ExecStart"
_CONFIG = re.compile(r"\s--config[ =](\S+)")


@dataclass(frozen=True)
class Unit:
    """A unit, and its mount point."""

    name: str
    state: str
    """systemd's ActiveState: active, inactive, failed, activating, deactivating."""
    is_enabled: bool
    """Whether systemd is to start it by itself."""
    path: str
    is_mounted: bool
    """Whether katafs is what is found at the path, whoever mounted it."""


def units(mount_point_of: Callable[[Path], str | None]) -> list[Unit]:
    """Those whose mount point is known, by what says it of a file of settings; none where there is no systemd."""
    program = shutil.which("systemctl")
    if program is None:
        return []
    # What is loaded, and what only could be.
    instances = ["*", *sorted(file.stem for file in _SETTINGS.glob("*.toml"))]
    command = [program, "show", f"--property={_SHOWN}", "--", *map(_UNITS.format, instances)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        return []
    return list({unit.name: unit for unit in _told(done.stdout, mount_point_of)}.values())


def _told(said: str, mount_point_of: Callable[[Path], str | None]) -> Iterator[Unit]:
    for block in said.split("\n\n"):
        shown = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        config = _CONFIG.search(shown.get("ExecStart", ""))
        said_path = None if config is None else mount_point_of(Path(config[1]))
        if said_path is not None and "Id" in shown:
            path = resolved(said_path)
            is_mounted = mounted_types(path)[-1:] == [TYPE]
            is_enabled = shown.get("UnitFileState") == "enabled"
            name, state = shown["Id"].removesuffix(".service"), shown.get("ActiveState", "")
            yield Unit(name, state, is_enabled, path, is_mounted)
