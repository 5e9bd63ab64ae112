"""Objects, refs and manifests that are too large, or say that they aren't."""

import zlib

from tests.harness.git_objects import (
    entry,
    loose_path,
    tag_manifest,
    tag_tree,
    write_loose,
    write_pack,
)
from tests.harness.hostile_git.attack import Attack, Outcome, Place, pack_everything


def large_manifest(place: Place) -> None:
    tag_manifest(place.git, write_loose(place.git, "blob", b'{"output":"' + bytes([97]) * (475 << 20 >> 3) + b'"}'))


def large_packed_manifest(place: Place) -> None:
    large_manifest(place)
    pack_everything(place)


def bomb_that_says_so(place: Place) -> None:
    tag_manifest(place.git, write_loose(place.git, "blob", b"x", says=1 << 42))


def bomb_that_lies(place: Place) -> None:
    tag_manifest(place.git, write_loose(place.git, "blob", bytes(40 << 20), says=100))


def bomb_in_a_pack(place: Place) -> None:
    sha = "5" * 40
    write_pack(place.git, [(sha, entry(3, bytes(40 << 20), says=100))])
    tag_manifest(place.git, sha)


def endless_blocks(place: Place) -> None:
    sha = "5" * 40
    stored = zlib.compressobj(0)
    path = loose_path(place.git, sha)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(stored.compress(b"blob 1\0") + stored.flush(zlib.Z_SYNC_FLUSH) + b"\0\0\0\xff\xff" * (1 << 20))
    tag_manifest(place.git, sha)


def large_refs(place: Place) -> None:
    (place.git / "refs/tags/1").unlink()
    with (place.git / "packed-refs").open("wb") as file:
        file.truncate(1 << 40)


def large_tree(place: Place) -> None:
    tag_tree(place.git, write_loose(place.git, "tree", b"100644 a\0aaaaaaaaaaaaaaaaaaaa" * (1 << 16)))


ATTACKS = {
    "large-manifest": Attack(large_manifest, Outcome.SHOWN, Outcome.TOO_LARGE),
    "large-packed-manifest": Attack(large_packed_manifest, Outcome.SHOWN, Outcome.TOO_LARGE),
    "bomb-that-says-so": Attack(bomb_that_says_so, Outcome.SHOWN, Outcome.TOO_LARGE),
    "bomb-that-lies": Attack(bomb_that_lies, Outcome.SHOWN, Outcome.CORRUPT),
    "bomb-in-a-pack": Attack(bomb_in_a_pack, Outcome.SHOWN, Outcome.CORRUPT),
    "endless-blocks": Attack(endless_blocks, Outcome.SHOWN, Outcome.CORRUPT),
    "large-refs": Attack(large_refs, Outcome.SHOWN, Outcome.TOO_LARGE, listing=Outcome.TOO_LARGE),
    "large-tree": Attack(large_tree, Outcome.SHOWN, Outcome.TOO_LARGE),
}
