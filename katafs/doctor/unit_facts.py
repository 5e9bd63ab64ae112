"""Asks systemd for katafs' units, each of which mounts what its file of settings says. It may hang: see `asking`."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from katafs.mount.mount_point import TYPE, mounted_types, resolved

_UNITS = "katafs@*.service"
_CONFIG = re.compile(r"\s--config[ =](\S+)")


@dataclass(frozen=True)
class Unit:
    """A unit that systemd has loaded, and its mount point."""

    name: str
    state: str
    """systemd's ActiveState: active, inactive, failed, activating, deactivating."""
    path: str
    is_mounted: bool
    """Whether katafs is what is found at the path, whoever mounted it."""


def units(mount_point_of: Callable[[Path], str | None]) -> list[Unit]:
    """Those whose mount point is known, by what says it of a file of settings; none where there is no systemd."""
    program = shutil.which("systemctl")
    if program is None:
        return []
    command = [program, "show", "--property=Id,ActiveState,ExecStart", "--", _UNITS]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return [] if done.returncode else list(_told(done.stdout, mount_point_of))


def _told(said: str, mount_point_of: Callable[[Path], str | None]) -> Iterator[Unit]:
    for block in said.split("\n\n"):
        shown = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        config = _CONFIG.search(shown.get("ExecStart", ""))
        said_path = None if config is None else mount_point_of(Path(config[1]))
        if said_path is not None and "Id" in shown:
            path = resolved(said_path)
            is_mounted = mounted_types(path)[-1:] == [TYPE]
            yield Unit(shown["Id"].removesuffix(".service"), shown.get("ActiveState", ""), path, is_mounted)
