"""Chains and loops of deltas, trees and tags."""

import hashlib
import struct
from collections.abc import Callable

from tests.harness.avatars import git
from tests.harness.git_objects import (
    copy_of,
    distance,
    entry,
    tag_manifest,
    tag_tree,
    varint,
    write_loose,
    write_pack,
    write_tag,
)
from tests.harness.hostile_git.attack import Attack, Outcome, Place


def _chained(base: bytes, depth: int, delta: Callable[[int], bytes], result: bytes) -> Callable[[Place], None]:
    def build(place: Place) -> None:
        sha = hashlib.sha1(b"blob %d\0" % len(result) + result).hexdigest()
        entries = [("", entry(3, base))]
        for number in range(depth):
            written = entry(6, delta(len(base) + number), distance(len(entries[-1][1])))
            entries.append((sha if number == depth - 1 else "", written))
        write_pack(place.git, entries)
        tag_manifest(place.git, sha)

    return build


def chain(depth: int) -> Callable[[Place], None]:
    """A manifest that is as many deltas away from a whole object; all of them are right."""
    base = b'{"output":"x"}'
    spaces = b" " * depth

    def delta(size: int) -> bytes:
        return copy_of(size)[:-1] + b" "

    return _chained(base, depth, delta, base + spaces)


def chain_of_large(place: Place) -> None:
    size = 30 << 20
    copies = b"".join(bytes([0x80 | 0x0F | 0x70, *struct.pack("<L", n << 20), 0, 0, 16]) for n in range(30))
    delta = varint(size) + varint(size) + copies
    _chained(bytes(size), 20, lambda _: delta, b"never reached")(place)


def delta_that_grows(place: Place) -> None:
    base = bytes(1 << 16)
    delta = varint(len(base)) + varint(1 << 40) + bytes([0x80]) * (1 << 20)
    _chained(base, 1, lambda _: delta, b"never reached")(place)


def delta_loop(place: Place) -> None:
    one, two = "5" * 40, "6" * 40
    delta = copy_of(10)
    write_pack(place.git, [(one, entry(7, delta, bytes.fromhex(two))), (two, entry(7, delta, bytes.fromhex(one)))])
    tag_manifest(place.git, one)


def tree_loop(place: Place) -> None:
    sha = "5" * 40
    write_loose(place.git, "tree", b"40000 manifest.json\0" + bytes.fromhex(sha), sha=sha)
    tag_tree(place.git, sha)


def tag_loop(place: Place) -> None:
    sha = "5" * 40
    write_loose(place.git, "tag", f"object {sha}\ntype tag\ntag 1\n\n1\n".encode(), sha=sha)
    (place.git / "refs/tags/1").write_text(f"{sha}\n")


def nested_tags(place: Place) -> None:
    sha, kind = git(place.avatar, "rev-parse", "1").strip(), "tag"
    for _ in range(50):
        sha = write_tag(place.git, kind, sha)


ATTACKS = {
    "chain-10000": Attack(chain(10_000), Outcome.SHOWN, Outcome.CORRUPT),
    "chain-4000": Attack(chain(4_000), Outcome.SHOWN, Outcome.SHOWN),
    "chain-of-large": Attack(chain_of_large, Outcome.SHOWN, Outcome.TOO_LARGE),
    "delta-that-grows": Attack(delta_that_grows, Outcome.SHOWN, Outcome.TOO_LARGE),
    "delta-loop": Attack(delta_loop, Outcome.SHOWN, Outcome.CORRUPT),
    "tree-loop": Attack(tree_loop, Outcome.SHOWN, Outcome.CORRUPT),
    "tag-loop": Attack(tag_loop, Outcome.SHOWN, Outcome.CORRUPT),
    "nested-tags": Attack(nested_tags, Outcome.SHOWN, Outcome.CORRUPT),
}
