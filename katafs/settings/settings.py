"""The settings of a mount as one frozen object: their names, kinds, defaults and what they are for.

A field's name is the key in a TOML file; `KATAFS_` and the name in capitals is the environment variable.
"""

import dataclasses
import enum
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_type_hints

from katafs.config import Convert, Sandboxes, Tags, TreeSettings
from katafs.namespace import Layout
from katafs.settings.kinds import Choice, Count, Directory, Flag, Kind, Port, Seconds, Store, VolumePrefix

DEFAULT_DIRECTORY = Path("/var/lib/katafs/volumes")
"""Where volumes are if nobody says where, and there is no engine."""

_VARIABLE_PREFIX = "KATAFS_"
_FEWEST_INODES = 1000
"""With fewer the kernel would be asked to forget what it has just looked up."""
_FEWEST_OPEN_DIRECTORIES = 16


@dataclass(frozen=True)
class Settings:
    """What was set, each with its kind and what it is for. None is what was left open."""

    mountpoint: Annotated[Path | None, Directory(), "Where to mount, if the command line doesn't say."] = None
    volumes: Annotated[
        str | None,
        Store(),
        f"Where the volumes are. Default: Docker where there is an engine, else dir:{DEFAULT_DIRECTORY}.",
    ] = None
    prefix: Annotated[str, VolumePrefix(), "What the volumes' names begin with."] = ""
    layout: Annotated[Layout, Choice(Layout), "Katas as MOUNTPOINT/123456789A, or as MOUNTPOINT/12/3456789A."] = (
        Layout.FLAT
    )
    sandboxes: Annotated[
        Sandboxes, Choice(Sandboxes), "A new avatar's sandbox in the kata's volume, or in a volume of its own."
    ] = Sandboxes.KATA
    tags: Annotated[
        Tags | None,
        Choice(Tags),
        "AVATAR/tags/N.json, read from the avatar's git: listed, found only when named, or not there. "
        "Default: listed in the flat layout, unlisted in the split one.",
    ] = None
    legacy: Annotated[
        Path | None, Directory(), "Serve the katas of an old disk too, DIR/12/3456789A, until they are converted."
    ] = None
    convert: Annotated[
        Convert, Choice(Convert), "When a kata on the old disk becomes a volume. With never it can't be changed."
    ] = Convert.ON_WRITE
    read_only: Annotated[bool, Flag(), "Change nothing."] = False
    noexec: Annotated[bool, Flag(), "Let nobody run a program that is in it."] = False
    timeout: Annotated[float, Seconds(), "How long the kernel may keep names and attributes."] = 1.0
    negative_timeout: Annotated[float, Seconds(), "The same of names that aren't there, inside katas."] = 0.0
    inodes: Annotated[int, Count(_FEWEST_INODES), "The most inodes remembered, unless programs use more."] = (
        TreeSettings.inodes
    )
    open_directories: Annotated[
        int, Count(_FEWEST_OPEN_DIRECTORIES), "The most descriptors kept open between requests."
    ] = TreeSettings.open_directories
    nonempty: Annotated[bool, Flag(), "Mount over what is there."] = False
    xattrs: Annotated[bool, Flag(), "Have extended attributes."] = True
    allow_other: Annotated[
        bool | None, Flag(), "Let all users in, each with their own rights. Default: if root mounts."
    ] = None
    awake: Annotated[bool, Flag(), "Keep idle processors from sleeping while many requests come."] = True
    debug: Annotated[bool, Flag(), "Log the ordinary errors as well."] = False
    metrics: Annotated[
        int | None, Port(), "Show Prometheus the figures, on this port of 127.0.0.1. Default: they aren't shown."
    ] = None

    @property
    def tags_shown(self) -> Tags:
        """How tags show, where that was left open too."""
        return self.tags or {Layout.FLAT: Tags.LISTED, Layout.SPLIT: Tags.UNLISTED}[self.layout]

    def plain(self) -> dict[str, str | float | bool | None]:
        """The settings as JSON and TOML have them."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}


def _plain(value: object) -> str | float | bool | None:
    if isinstance(value, enum.Enum):
        return str(value.value)
    return value if isinstance(value, str | float | int | None) else str(value)


@dataclass(frozen=True)
class Known:
    """What is known of one setting."""

    name: str
    kind: Kind
    default: object
    purpose: str

    @property
    def variable(self) -> str:
        """The environment variable."""
        return _VARIABLE_PREFIX + self.name.upper()


def _known() -> Iterator[Known]:
    hints = get_type_hints(Settings, include_extras=True)
    for field in dataclasses.fields(Settings):
        kind, purpose = hints[field.name].__metadata__
        yield Known(field.name, kind, field.default, purpose)


KNOWN = {each.name: each for each in _known()}
"""Every setting, by its name, in the order in which they are shown."""
