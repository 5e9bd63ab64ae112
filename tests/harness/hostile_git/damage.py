"""Damage, and content that isn't what its place calls for."""

import os
from collections.abc import Callable

from tests.harness.avatars import git
from tests.harness.git_objects import (
    loose_path,
    tag_manifest,
    tag_tree,
    tree_of,
    write_loose,
    write_tag,
)
from tests.harness.hostile_git.attack import Attack, Outcome, Place, pack_everything


def cut(suffix: str, left: float) -> Callable[[Place], None]:
    """Cut a pack, or its index, to a part of its size."""

    def build(place: Place) -> None:
        file = pack_everything(place).with_suffix(suffix)
        os.truncate(file, int(file.stat().st_size * left))

    return build


def overwritten(suffix: str, start: int, content: bytes) -> Callable[[Place], None]:
    """Overwrite a part of a pack, or of its index."""

    def build(place: Place) -> None:
        file = pack_everything(place).with_suffix(suffix)
        with file.open("r+b") as opened:
            opened.seek(start)
            opened.write(content)

    return build


def other_content(place: Place) -> None:
    sha = git(place.avatar, "rev-parse", "1:manifest.json").strip()
    write_loose(place.git, "blob", b'{"output":"another"}', sha=sha)


def empty_object(place: Place) -> None:
    path = loose_path(place.git, git(place.avatar, "rev-parse", "1:manifest.json").strip())
    path.chmod(0o644)
    path.write_bytes(b"")


def no_manifest(place: Place) -> None:
    tag_tree(place.git, tree_of(place.git, increments=write_loose(place.git, "blob", b"[]")))


def manifest(content: bytes) -> Callable[[Place], None]:
    """Another manifest.json for tag 1."""
    return lambda place: tag_manifest(place.git, write_loose(place.git, "blob", content))


def lights(content: bytes) -> Callable[[Place], None]:
    """Another increments.json for tag 1."""

    def build(place: Place) -> None:
        shas = {
            name: write_loose(place.git, "blob", text) for name, text in (("manifest", b"{}"), ("increments", content))
        }
        tag_tree(place.git, tree_of(place.git, **shas))

    return build


def late(place: Place) -> None:
    write_tag(place.git, "commit", git(place.avatar, "rev-parse", "1^{commit}").strip(), when="9" * 30)


ATTACKS = {
    "cut-pack": Attack(cut(".pack", 0.02), Outcome.CORRUPT, Outcome.CORRUPT),
    "cut-index": Attack(cut(".idx", 0.5), Outcome.CORRUPT, Outcome.CORRUPT),
    "empty-index": Attack(cut(".idx", 0), Outcome.CORRUPT, Outcome.CORRUPT),
    "wrong-fan-out": Attack(overwritten(".idx", 8, b"\xff\0\0\1" * 256), Outcome.CORRUPT, Outcome.CORRUPT),
    "wrong-crc": Attack(overwritten(".pack", 12, b"\xff" * 1000), Outcome.CORRUPT, Outcome.CORRUPT),
    "other-content": Attack(other_content, Outcome.SHOWN, Outcome.CORRUPT),
    "empty-object": Attack(empty_object, Outcome.SHOWN, Outcome.CORRUPT),
    "no-manifest": Attack(no_manifest, Outcome.SHOWN, Outcome.CORRUPT),
    "manifest-no-object": Attack(manifest(b"[" * 1_000_000), Outcome.SHOWN, Outcome.CORRUPT),
    "manifest-nested": Attack(manifest(b'{"a":{"b":"c"}}'), Outcome.SHOWN, Outcome.CORRUPT),
    "manifest-of-many": Attack(manifest(b"{" + b'"":"",' * 1_000_000 + b'"":""}'), Outcome.SHOWN, Outcome.CORRUPT),
    "manifest-with-more": Attack(manifest(b'{"a":"b"} x'), Outcome.SHOWN, Outcome.CORRUPT),
    "lights-nested": Attack(lights(b"[" * 100_000), Outcome.SHOWN, Outcome.CORRUPT),
    "lights-of-text": Attack(lights(b'["red"]'), Outcome.SHOWN, Outcome.CORRUPT),
    "lights-large": Attack(lights(b"[" + b" " * (2 << 20) + b"]"), Outcome.SHOWN, Outcome.TOO_LARGE),
    "tag-of-far-future": Attack(late, Outcome.SHOWN, Outcome.SHOWN),
}
