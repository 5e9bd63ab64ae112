"""The frozen settings of a mount."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from katafs.namespace import Layout


class Sandboxes(enum.Enum):
    """Where a new avatar's sandbox goes: into the kata's volume, or into a volume of its own."""

    KATA = "kata"
    AVATAR = "avatar"


class Tags(enum.Enum):
    """How the tags of an avatar that is kept with git show: in its listing, only when they are named, or not at all."""

    LISTED = "listed"
    UNLISTED = "unlisted"
    OFF = "off"


class Convert(enum.Enum):
    """When a kata on the legacy disk is converted by the mount that serves it."""

    NEVER = "never"
    """It can't be changed then."""
    ON_WRITE = "on-write"
    ON_OPEN = "on-open"


@dataclass(frozen=True)
class TreeSettings:
    """What the tree is told."""

    layout: Layout = Layout.FLAT
    sandboxes: Sandboxes = Sandboxes.KATA
    tags: Tags = Tags.LISTED
    convert: Convert = Convert.ON_WRITE
    read_only: bool = False
    timeout_s: float = 1.0
    """How long the kernel may keep a name and its attributes."""
    negative_timeout_s: float = 0.0
    """How long the kernel may keep that a name isn't there."""
    xattrs: bool = True
    open_directories: int = 4096
    """The most descriptors kept open between requests."""
    inodes: int = 250_000
    """The most inodes remembered at a time, unless programs use more."""


@dataclass(frozen=True)
class MountSettings:
    """What the FUSE edge is told."""

    source: str
    """The first column of the mount table: as a line of fstab has it, by which mount(8) knows what it has mounted."""
    read_only: bool = False
    noexec: bool = False
    allow_other: bool = True
    metrics: int | None = None
    """The port on which Prometheus gets its figures, if on any."""
    awake: bool = True
    """Whether idle processors are kept from sleeping while many requests come."""
    options: Mapping[str, str | float | bool | None] = field(default_factory=dict)
    """All that was set, for the status to show."""
