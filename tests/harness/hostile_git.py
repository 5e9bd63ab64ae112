"""Avatars whose `.git` a container wrote to do harm, and what reading their tags must come to.

Every avatar has tags 0 and 1; an attack is on tag 1, and on tag 0 where it can't be on one alone. `outside` is a good
avatar that isn't the attacker's, whose files all say SECRET; `canary` is a file that exists as soon as anything ran.
"""

import enum
import hashlib
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.harness.avatars import git, good_avatar
from tests.harness.git_objects import (
    copy_of,
    distance,
    entry,
    loose_path,
    tag_manifest,
    tag_tree,
    tree_of,
    varint,
    write_loose,
    write_pack,
    write_tag,
)

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


# ---- what git would run


def script(place: Place) -> Path:
    """A program that leaves the canary."""
    path = place.avatar / "evil"
    path.write_text(f"#!/bin/sh\ntouch {place.canary}\n")
    path.chmod(0o755)
    return path


def fsmonitor(place: Place) -> None:
    git(place.avatar, "config", "core.fsmonitor", str(script(place)))


def include(place: Place) -> None:
    (place.avatar / "more").write_text(f"[core]\n\tfsmonitor = {script(place)}\n")
    git(place.avatar, "config", "include.path", "../more")


def filters(place: Place) -> None:
    git(place.avatar, "config", "filter.evil.clean", str(script(place)))
    (place.git / "info/attributes").write_text("* filter=evil\n")
    (place.avatar / "manifest.json").write_text("changed")


def text_conversion(place: Place) -> None:
    git(place.avatar, "config", "diff.evil.textconv", str(script(place)))
    (place.git / "info/attributes").write_text("* diff=evil\n")


def hooks(place: Place) -> None:
    shutil.copy(script(place), place.git / "hooks/pre-commit")


def promisor(place: Place) -> None:
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "evil",
        "remote.evil.promisor": "true",
        "remote.evil.url": f"ext::{script(place)}",
        "protocol.ext.allow": "always",
    }.items():
        git(place.avatar, "config", key, value)
    loose_path(place.git, git(place.avatar, "rev-parse", "1:manifest.json").strip()).unlink()


# ---- what lies outside


def alternates(place: Place) -> None:
    (place.git / "objects/info").mkdir(exist_ok=True)
    (place.git / "objects/info/alternates").write_text(f"{place.outside}/.git/objects\n")
    shutil.copy(place.outside / ".git/refs/tags/1", place.git / "refs/tags/1")


def common_directory(place: Place) -> None:
    (place.git / "commondir").write_text(f"{place.outside}/.git\n")
    shutil.rmtree(place.git / "refs/tags")


def git_file(place: Place) -> None:
    shutil.rmtree(place.git)
    place.git.write_text(f"gitdir: {place.outside}/.git\n")


def linked(*names: str) -> Callable[[Place], None]:
    """Put symbolic links to what is outside in the place of the attacker's own."""

    def build(place: Place) -> None:
        for name in names:
            own = place.avatar / name
            if own.is_dir():
                shutil.rmtree(own)
            else:
                own.unlink(missing_ok=True)
            own.symlink_to(place.outside / name)

    return build


def linked_packed_refs(place: Place) -> None:
    git(place.outside, "pack-refs", "--all")
    linked(".git/packed-refs")(place)
    (place.git / "refs/tags/1").unlink()


def linked_object(place: Place) -> None:
    sha = git(place.outside, "rev-parse", "1:manifest.json").strip()
    tag_manifest(place.git, sha)
    loose_path(place.git, sha).parent.mkdir(exist_ok=True)
    loose_path(place.git, sha).symlink_to(loose_path(place.outside / ".git", sha))


def linked_pack(place: Place) -> None:
    outside = pack_everything(Place(place.outside, place.outside, place.canary))
    for file in (outside, outside.with_suffix(".idx")):
        (place.git / "objects/pack" / file.name).symlink_to(file)
    shutil.copy(place.outside / ".git/refs/tags/1", place.git / "refs/tags/1")


# ---- refs


def ref(content: str) -> Callable[[Place], None]:
    """Write something else than a sha to tag 1's ref."""

    def build(place: Place) -> None:
        (place.git / "refs/tags/1").write_text(content)

    return build


def fifo(name: str) -> Callable[[Place], None]:
    """A FIFO that nobody writes to."""

    def build(place: Place) -> None:
        (place.git / name).unlink(missing_ok=True)
        os.mkfifo(place.git / name)

    return build


def fifo_for_packed_refs(place: Place) -> None:
    (place.git / "refs/tags/1").unlink()
    fifo("packed-refs")(place)


def fifo_for_object(place: Place) -> None:
    path = loose_path(place.git, git(place.avatar, "rev-parse", "1:manifest.json").strip())
    fifo(str(path.relative_to(place.git)))(place)


def directory_for_ref(place: Place) -> None:
    (place.git / "refs/tags/1").unlink()
    (place.git / "refs/tags/1").mkdir()


def garbage_in_packed_refs(place: Place) -> None:
    (place.git / "refs/tags/1").unlink()
    (place.git / "packed-refs").write_bytes(b"\xff\0^~\nnothing refs/tags/1\n")


# ---- sizes


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


# ---- chains and loops


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


# ---- damage


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


_SHOWN, _CORRUPT, _LARGE, _MISSING = Outcome.SHOWN, Outcome.CORRUPT, Outcome.TOO_LARGE, Outcome.MISSING

ATTACKS = {
    "fsmonitor": Attack(fsmonitor, _SHOWN, _SHOWN, ("status",)),
    "include": Attack(include, _SHOWN, _SHOWN, ("status",)),
    "filters": Attack(filters, _SHOWN, _SHOWN, ("add", "manifest.json")),
    "text-conversion": Attack(text_conversion, _SHOWN, _SHOWN, ("show", "--textconv", "1:manifest.json")),
    "hooks": Attack(hooks, _SHOWN, _SHOWN, ("commit", "--allow-empty", "-m", "x")),
    "promisor": Attack(promisor, _SHOWN, _CORRUPT, ("show", "1:manifest.json")),
    "alternates": Attack(alternates, _SHOWN, _CORRUPT),
    "common-directory": Attack(common_directory, _MISSING, _MISSING),
    "git-file": Attack(git_file, _MISSING, _MISSING),
    "linked-git": Attack(linked(".git"), _MISSING, _MISSING),
    "linked-objects": Attack(linked(".git/objects"), _CORRUPT, _CORRUPT),
    "linked-refs": Attack(linked(".git/refs"), _CORRUPT, _CORRUPT),
    "linked-tags": Attack(linked(".git/refs/tags"), _CORRUPT, _CORRUPT),
    "linked-ref": Attack(linked(".git/refs/tags/1"), _SHOWN, _CORRUPT),
    "linked-packed-refs": Attack(linked_packed_refs, _SHOWN, _CORRUPT, listing=_CORRUPT),
    "linked-object": Attack(linked_object, _SHOWN, _CORRUPT),
    "linked-pack": Attack(linked_pack, _SHOWN, _CORRUPT),
    "garbage-ref": Attack(ref("\0garbage"), _SHOWN, _CORRUPT),
    "empty-ref": Attack(lambda place: os.truncate(place.git / "refs/tags/1", 0), _SHOWN, _CORRUPT),
    "ref-to-a-file": Attack(ref("ref: ../../../outside/.git/refs/tags/1\n"), _SHOWN, _CORRUPT),
    "long-ref": Attack(ref("a" * 40 + " " * 100_000), _SHOWN, _LARGE),
    "directory-for-ref": Attack(directory_for_ref, _SHOWN, _CORRUPT),
    "garbage-packed-refs": Attack(garbage_in_packed_refs, _SHOWN, _CORRUPT),
    "fifo-ref": Attack(fifo("refs/tags/1"), _SHOWN, _CORRUPT),
    "fifo-packed-refs": Attack(fifo_for_packed_refs, _SHOWN, _CORRUPT, listing=_CORRUPT),
    "fifo-object": Attack(fifo_for_object, _SHOWN, _CORRUPT),
    "large-manifest": Attack(large_manifest, _SHOWN, _LARGE),
    "large-packed-manifest": Attack(large_packed_manifest, _SHOWN, _LARGE),
    "bomb-that-says-so": Attack(bomb_that_says_so, _SHOWN, _LARGE),
    "bomb-that-lies": Attack(bomb_that_lies, _SHOWN, _CORRUPT),
    "bomb-in-a-pack": Attack(bomb_in_a_pack, _SHOWN, _CORRUPT),
    "endless-blocks": Attack(endless_blocks, _SHOWN, _CORRUPT),
    "large-refs": Attack(large_refs, _SHOWN, _LARGE, listing=_LARGE),
    "large-tree": Attack(large_tree, _SHOWN, _LARGE),
    "chain-10000": Attack(chain(10_000), _SHOWN, _CORRUPT),
    "chain-4000": Attack(chain(4_000), _SHOWN, _SHOWN),
    "chain-of-large": Attack(chain_of_large, _SHOWN, _LARGE),
    "delta-that-grows": Attack(delta_that_grows, _SHOWN, _LARGE),
    "delta-loop": Attack(delta_loop, _SHOWN, _CORRUPT),
    "tree-loop": Attack(tree_loop, _SHOWN, _CORRUPT),
    "tag-loop": Attack(tag_loop, _SHOWN, _CORRUPT),
    "nested-tags": Attack(nested_tags, _SHOWN, _CORRUPT),
    "cut-pack": Attack(cut(".pack", 0.02), _CORRUPT, _CORRUPT),
    "cut-index": Attack(cut(".idx", 0.5), _CORRUPT, _CORRUPT),
    "empty-index": Attack(cut(".idx", 0), _CORRUPT, _CORRUPT),
    "wrong-fan-out": Attack(overwritten(".idx", 8, b"\xff\0\0\1" * 256), _CORRUPT, _CORRUPT),
    "wrong-crc": Attack(overwritten(".pack", 12, b"\xff" * 1000), _CORRUPT, _CORRUPT),
    "other-content": Attack(other_content, _SHOWN, _CORRUPT),
    "empty-object": Attack(empty_object, _SHOWN, _CORRUPT),
    "no-manifest": Attack(no_manifest, _SHOWN, _CORRUPT),
    "manifest-no-object": Attack(manifest(b"[" * 1_000_000), _SHOWN, _CORRUPT),
    "manifest-nested": Attack(manifest(b'{"a":{"b":"c"}}'), _SHOWN, _CORRUPT),
    "manifest-of-many": Attack(manifest(b"{" + b'"":"",' * 1_000_000 + b'"":""}'), _SHOWN, _CORRUPT),
    "manifest-with-more": Attack(manifest(b'{"a":"b"} x'), _SHOWN, _CORRUPT),
    "lights-nested": Attack(lights(b"[" * 100_000), _SHOWN, _CORRUPT),
    "lights-of-text": Attack(lights(b'["red"]'), _SHOWN, _CORRUPT),
    "lights-large": Attack(lights(b"[" + b" " * (2 << 20) + b"]"), _SHOWN, _LARGE),
    "tag-of-far-future": Attack(late, _SHOWN, _SHOWN),
}
"""By name; `built` makes one."""
