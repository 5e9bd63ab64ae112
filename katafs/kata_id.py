"""The grammar of a kata's id, of an avatar's name, and of the volumes named after them.

Knows nothing of paths or of who keeps the volumes.
"""

import re
from typing import NewType

KataId = NewType("KataId", str)
AvatarName = NewType("AvatarName", str)
VolumeName = NewType("VolumeName", str)

OUTER_LENGTH = 2
"""Characters of an id that name its outer directory on a server's disk; the other 8 name the inner one."""

AVATARS = tuple(
    AvatarName(name)
    for name in """
    alligator antelope bat bear bee beetle buffalo butterfly cheetah crab deer dolphin eagle elephant flamingo
    fox frog gopher gorilla heron hippo hummingbird hyena jellyfish kangaroo kingfisher koala leopard lion lizard
    lobster moose mouse ostrich owl panda parrot peacock penguin porcupine puffin rabbit raccoon ray rhino salmon
    seal shark skunk snake spider squid squirrel starfish swan tiger toucan tuna turtle vulture walrus whale wolf zebra
    """.split()
)
"""The 64 avatars of a kata, in alphabetical order."""

ROOT_VOLUME = VolumeName("katafs_root")
"""The one volume of a store that holds what belongs to no kata: outer directories, stray files."""

_ID = re.compile(r"[0-9A-F]{10}")
_OUTER = re.compile(r"[0-9A-F]{2}")
_INNER = re.compile(r"[0-9A-F]{8}")
_VOLUME_PREFIX = re.compile(r"([0-9A-Za-z][0-9A-Za-z_.-]*)?")
"""As Docker wants it: a slash would lead out of a directory of volumes."""
_AVATARS = frozenset(AVATARS)


def kata_id(text: str) -> KataId | None:
    """`text` as a kata's id, or None where it isn't one: 10 characters of 0-9 A-F, upper case."""
    return KataId(text) if _ID.fullmatch(text) else None


def is_outer(text: str) -> bool:
    """Whether `text` is the outer part of some id."""
    return _OUTER.fullmatch(text) is not None


def is_inner(text: str) -> bool:
    """Whether `text` is the inner part of some id."""
    return _INNER.fullmatch(text) is not None


def outer_of(kata: KataId) -> str:
    """The first 2 characters of an id."""
    return kata[:OUTER_LENGTH]


def inner_of(kata: KataId) -> str:
    """The last 8 characters of an id."""
    return kata[OUTER_LENGTH:]


def avatar_name(text: str) -> AvatarName | None:
    """`text` as the name of an avatar, or None where it isn't one of the 64."""
    return AvatarName(text) if text in _AVATARS else None


def kata_volume(kata: KataId) -> VolumeName:
    """The volume of a kata."""
    return VolumeName(kata)


def avatar_volume(kata: KataId, avatar: AvatarName) -> VolumeName:
    """The volume that is an avatar's sandbox, where it has one of its own."""
    return VolumeName(f"{kata}_{avatar}")


def is_volume_prefix(text: str) -> bool:
    """Whether the names that a store keeps may begin with `text`, which may be nothing."""
    return _VOLUME_PREFIX.fullmatch(text) is not None


def volume_owner(name: str) -> tuple[KataId, AvatarName | None] | None:
    """The kata, and the avatar if it is an avatar's, that a volume is named after; None for any other name."""
    head, separator, tail = name.partition("_")
    kata = kata_id(head)
    avatar = avatar_name(tail)
    if kata is None or (separator and avatar is None):
        return None
    return kata, avatar
