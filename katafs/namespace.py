"""Where a name stands in the tree: pure rules from a directory's place and a name to the name's place.

Knows the layouts and the grammar of ids. Knows nothing of what exists.
"""

import enum
import os
import re
from dataclasses import dataclass

from katafs.kata_id import (
    AVATARS,
    AvatarName,
    KataId,
    VolumeName,
    avatar_volume,
    inner_of,
    is_inner,
    is_outer,
    kata_id,
    kata_volume,
    outer_of,
)


class Layout(enum.Enum):
    """How the ids of katas show in the tree."""

    FLAT = "flat"
    SPLIT = "split"


class Kind(enum.Enum):
    """What a place is for."""

    ROOT = enum.auto()
    OUTER = enum.auto()
    KATA = enum.auto()
    AVATAR = enum.auto()
    SANDBOX = enum.auto()
    ALIAS = enum.auto()
    """Where the other layout shows a kata."""
    TAGS = enum.auto()
    TAG = enum.auto()
    PLAIN = enum.auto()
    """Anything else."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the tree, with the parts of an id that it stands for."""

    kind: Kind
    outer: str = ""
    kata: KataId | None = None
    avatar: AvatarName | None = None
    tag: int | None = None

    @property
    def volume(self) -> VolumeName | None:
        """The volume that is this place's directory where it exists: a kata's, or an avatar's sandbox's."""
        if self.kind is Kind.KATA and self.kata:
            return kata_volume(self.kata)
        if self.kind is Kind.SANDBOX and self.kata and self.avatar:
            return avatar_volume(self.kata, self.avatar)
        return None


PLAIN_BELOW = (Kind.PLAIN, Kind.SANDBOX, Kind.TAG)
"""Where every name is that of something plain. No set: to hash a member is a call of Python."""

ROOT = Place(Kind.ROOT)
PLAIN = Place(Kind.PLAIN)
SANDBOX_NAME = b"sandbox"
TAGS_NAME = b"tags"
GIT_NAME = b".git"
"""In an avatar that git keeps. A tree shows it as it is."""
LAST_TAG = 9999
"""Tags of higher numbers aren't shown: an avatar has a few hundred at most."""

_AVATARS = {avatar.encode(): avatar for avatar in AVATARS}
_BELOW_AVATAR = {SANDBOX_NAME: Kind.SANDBOX, TAGS_NAME: Kind.TAGS}
_TAG_NAME = re.compile(rb"(0|[1-9][0-9]{0,3})\.json")


def child(place: Place, name: bytes, layout: Layout) -> Place:
    """The place of `name` in the directory at `place`."""
    kind = place.kind
    if kind in PLAIN_BELOW:
        return PLAIN
    if kind is Kind.KATA:
        avatar = _AVATARS.get(name)
        return Place(Kind.AVATAR, kata=place.kata, avatar=avatar) if avatar else PLAIN
    if kind is Kind.AVATAR:
        below = _BELOW_AVATAR.get(name)
        return Place(below, kata=place.kata, avatar=place.avatar) if below else PLAIN
    if kind is Kind.TAGS:
        return _below_tags(place, name)
    text = os.fsdecode(name)
    if kind is Kind.ROOT:
        return _below_root(text, layout)
    if kind is Kind.OUTER and is_inner(text):
        return Place(Kind.KATA if layout is Layout.SPLIT else Kind.ALIAS, place.outer, kata_id(place.outer + text))
    return PLAIN


def _below_tags(place: Place, name: bytes) -> Place:
    match = _TAG_NAME.fullmatch(name)
    return Place(Kind.TAG, kata=place.kata, avatar=place.avatar, tag=int(match[1])) if match else PLAIN


def tag_name(number: int) -> bytes:
    """The name of a tag's file."""
    return f"{number}.json".encode()


def _below_root(text: str, layout: Layout) -> Place:
    if is_outer(text):
        return Place(Kind.OUTER, text)
    if kata := kata_id(text):
        return Place(Kind.KATA if layout is Layout.FLAT else Kind.ALIAS, outer_of(kata), kata)
    return PLAIN


def kata_of(path: bytes, layout: Layout) -> KataId | None:
    """The kata that a path from the top (`/123456789A/lion`) leads into, in either layout's form."""
    place = ROOT
    for name in path.split(b"/")[1:3]:
        place = child(place, name, layout)
        if place.kata is not None:
            break
    return place.kata


def alias_target(kata: KataId, layout: Layout) -> bytes:
    """Where the symbolic link at the other layout's place of a kata leads."""
    if layout is Layout.FLAT:
        return f"../{kata}".encode()
    return f"{outer_of(kata)}/{inner_of(kata)}".encode()


def name_of(kata: KataId, layout: Layout) -> bytes:
    """The last component of a kata's path."""
    return (kata if layout is Layout.FLAT else inner_of(kata)).encode()
