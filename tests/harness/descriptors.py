"""What a process holds open, read from /proc."""

import os
import stat
from pathlib import Path

_FIRST_OWN_FD = 3
"""Below it are the standard streams, and a log may well be a regular file."""


def held_files(pid: int) -> set[str]:
    """The descriptors through which the process can read or write a file or list a directory, as `number -> path`.

    O_PATH descriptors can do neither, and how many of those a daemon keeps is its own business."""
    held = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            mode = fd.stat().st_mode
            flags = int(Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text().split("flags:")[1].split()[0], 8)
            target = os.readlink(fd)
        except FileNotFoundError:
            continue  # closed since it was listed
        if int(fd.name) >= _FIRST_OWN_FD and not flags & os.O_PATH and (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            held.add(f"{fd.name} -> {target}")
    return held


def working_in(path: Path) -> list[int]:
    """The processes whose working directory is at or below the path, or that hold something open there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            links = [os.readlink(process / "cwd"), *(os.readlink(fd) for fd in (process / "fd").iterdir())]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if any(link == str(path) or link.startswith(f"{path}/") for link in links):
            found.append(int(process.name))
    return found
