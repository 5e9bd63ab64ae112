"""What an attack is, and how one is built."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.harness.avatars import git, good_avatar

SECRET = "what is outside"


class Outcome(enum.Enum):
    """What comes of asking for a tag's status."""

    SHOWN = "shown"
    CORRUPT = "a CorruptKata"
    TOO_LARGE = "EFBIG"
    MISSING = "ENOENT"


@dataclass(frozen=True)
class Place:
    """Where an attack is built."""

    avatar: Path
    outside: Path
    canary: Path

    @property
    def git(self) -> Path:
        """The attacker's own."""
        return self.avatar / ".git"


@dataclass(frozen=True)
class Attack:
    """How to build it, what becomes of tags 0 and 1, the git command that falls for it, where one does, and what
    becomes of listing the tags, without which a mount has none."""

    build: Callable[[Place], None]
    tag_0: Outcome
    tag_1: Outcome
    springs: tuple[str, ...] = ()
    listing: Outcome = Outcome.SHOWN


def built(directory: Path, attack: Attack, avatar: Path | None = None) -> Place:
    """The attack, in a fresh directory; the avatar in it too, or elsewhere."""
    place = Place(avatar or directory / "avatar", directory / "outside", directory / "canary")
    good_avatar(place.avatar)
    good_avatar(place.outside, SECRET)
    attack.build(place)
    return place


def pack_everything(place: Place) -> Path:
    """The attacker's objects in one pack, and no loose ones."""
    git(place.avatar, "repack", "-a", "-d", "-q")
    git(place.avatar, "prune-packed", "-q")
    (pack,) = (place.git / "objects/pack").glob("*.pack")
    for file in pack.parent.iterdir():
        file.chmod(0o644)
    return pack
