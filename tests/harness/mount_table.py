"""The kernel's table of mounts, and the way out of a mount whose daemon hangs."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

FSTYPE = "fuse.katafs"
_CONNECTIONS = Path("/sys/fs/fuse/connections")


@dataclass(frozen=True)
class Mount:
    """One line of /proc/self/mountinfo (proc_pid_mountinfo(5))."""

    path: str
    fstype: str
    source: str
    options: frozenset[str]
    device_minor: int
    line: str


def _parsed(line: str) -> Mount:
    fields, _, rest = line.partition(" - ")
    parts = fields.split(" ")
    fstype, source, super_options = rest.split(" ", 2)
    # A space, tab, newline or backslash is there as its octal number.
    path = re.sub(r"\\([0-7]{3})", lambda number: chr(int(number[1], 8)), parts[4])
    options = frozenset(parts[5].split(",")) | frozenset(super_options.strip().split(","))
    return Mount(path, fstype, source, options, int(parts[2].partition(":")[2]), line)


def mounts() -> list[Mount]:
    """Every mount, in the order in which they were made."""
    text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    # Not splitlines(): a path may have a form feed in it.
    return [_parsed(line) for line in text.split("\n") if line]


def mount_at(path: Path) -> Mount | None:
    """The topmost mount at exactly this path."""
    found = [mount for mount in mounts() if mount.path == str(path)]
    return found[-1] if found else None


def mounts_below(path: Path) -> list[Mount]:
    """The mounts at the path and below it."""
    return [mount for mount in mounts() if mount.path == str(path) or mount.path.startswith(f"{path}/")]


def tear_off(path: Path) -> None:
    """Take away every mount at the path, whatever its daemon does: requests that hang get an error.

    It never touches the path itself, since that would hang as well."""
    while (mount := mount_at(path)) is not None:
        abort = _CONNECTIONS / str(mount.device_minor) / "abort"
        if mount.fstype.startswith("fuse") and abort.exists():
            abort.write_text("1")
        subprocess.run(["umount", "--lazy", "--no-canonicalize", str(path)], check=True, timeout=30)
