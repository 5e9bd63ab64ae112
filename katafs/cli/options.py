"""The `-o` options of mount(8): katafs' own, and those that fstab lines carry for others."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import click

from katafs.config import TreeSettings

_IGNORED = frozenset(
    "rw auto noauto nofail _netdev defaults async nouser dev nodev suid nosuid exec relatime noatime nodiratime".split()
)
"""Times of access are kept as the volumes' own file system keeps them. noexec isn't here: it would be a lie."""
_IGNORED_PREFIXES = ("x-", "X-", "comment=")
_FEWEST_INODES = 1000
"""With fewer the kernel would be asked to forget what it has just looked up."""
_FEWEST_OPEN_DIRECTORIES = 16


@dataclass(frozen=True)
class MountOptions:
    """What `-o` asked for."""

    timeout_s: float = 1.0
    negative_timeout_s: float = 0.0
    inodes: int = TreeSettings.inodes
    open_directories: int = TreeSettings.open_directories
    nonempty: bool = False
    xattrs: bool = True
    read_only: bool = False
    allow_other: bool | None = None
    """None leaves it to who mounts: root shares the mount, an ordinary user doesn't."""
    debug: bool = False


_FLAGS: dict[str, dict[str, bool]] = {
    "nonempty": {"nonempty": True},
    "noxattr": {"xattrs": False},
    "ro": {"read_only": True},
    "allow_other": {"allow_other": True},
    "noallow_other": {"allow_other": False},
    "debug": {"debug": True},
}

HELP = (
    "Comma-separated: timeout=SECONDS (how long the kernel may keep names and attributes; 1), negative_timeout=SECONDS "
    f"(the same of names that aren't there, inside katas; 0), inodes=N (the most of them remembered; "
    f"{TreeSettings.inodes}), open_directories=N (the most kept open; {TreeSettings.open_directories}), nonempty "
    "(mount over what is there), noxattr (no extended attributes), ro, allow_other and noallow_other (root allows), "
    "debug. "
    "nofail, _netdev, x-* and the like are ignored."
)


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise click.UsageError(f"-o {name}={text}: is not a number of seconds")
    return seconds


def _count(name: str, text: str, fewest: int) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < fewest:
        raise click.UsageError(f"-o {name}={text}: is not a number from {fewest} on")
    return count


_VALUED: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "timeout": ("timeout_s", _seconds),
    "negative_timeout": ("negative_timeout_s", _seconds),
    "inodes": ("inodes", partial(_count, fewest=_FEWEST_INODES)),
    "open_directories": ("open_directories", partial(_count, fewest=_FEWEST_OPEN_DIRECTORIES)),
}
"""By the option's name the field of MountOptions, and what makes its value."""


def parse(texts: tuple[str, ...]) -> MountOptions:
    """The options of every `-o`. Raises click.UsageError for one that isn't known."""
    options = MountOptions()
    for option in (option for text in texts for option in text.split(",") if option):
        name, separator, value = option.partition("=")
        if option in _IGNORED or option.startswith(_IGNORED_PREFIXES):
            continue
        if option in _FLAGS:
            options = replace(options, **_FLAGS[option])
        elif separator and name in _VALUED:
            field, value_of = _VALUED[name]
            options = replace(options, **{field: value_of(name, value)})
        else:
            raise click.UsageError(f"-o {option}: is not an option of katafs")
    return options
