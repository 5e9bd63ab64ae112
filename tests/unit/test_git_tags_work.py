"""A `.git` in which finding an object is much work, without one byte that has to be inflated: it has its bound, too."""

import errno
import hashlib
import itertools
import os
from pathlib import Path

import pytest

from katafs.storers.git_tags import GitTags
from katafs.untrusted.packs import DEPTH_LIMIT
from tests.harness import needs
from tests.harness.avatars import good_avatar
from tests.harness.git_objects import copy_of, entry, loose_path, write_pack

pytestmark = pytest.mark.timeout(120)

MOST_STEPS = 65_536
LINKS = 60_000
"""Fewer names than a file may have on ext4."""


def without_tag_1(avatar: Path) -> str:
    """An avatar whose tag 1 has lost its object; the object's sha."""
    needs.programs("git")
    good_avatar(avatar)
    sha = (avatar / ".git/refs/tags/1").read_text().strip()
    loose_path(avatar / ".git", sha).unlink()
    return sha


def links(path: Path, count: int, suffix: str) -> None:
    """So many more names beside a file, which is written anew where it has as many as it may have."""
    for number in range(count):
        if number and number % LINKS == 0:
            content = path.read_bytes()
            path = path.with_name(f"again-{number}{suffix}")
            path.write_bytes(content)
        os.link(path, path.with_name(f"{number}{suffix}"))


def too_much(avatar: Path) -> bool:
    """Whether asking for tag 1 is given up. Raises CorruptKata where all of the work is done."""
    descriptor = os.open(avatar, os.O_PATH | os.O_DIRECTORY)
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            GitTags().status(descriptor, 1)
    finally:
        os.close(descriptor)
    return True


def test_indexes_without_packs_are_not_all_opened(disk: Path) -> None:
    without_tag_1(disk / "lion")
    first = disk / "lion/.git/objects/pack/first.idx"
    first.write_bytes(b"")
    links(first, MOST_STEPS, ".idx")

    assert too_much(disk / "lion")


def test_chains_that_end_nowhere_are_not_followed_in_every_pack(disk: Path) -> None:
    sha = without_tag_1(disk / "lion")
    shas = [sha, *(hashlib.sha1(b"%d" % number).hexdigest() for number in range(DEPTH_LIMIT + 1))]
    delta = copy_of(10)
    chain = [(one, entry(7, delta, bytes.fromhex(two))) for one, two in itertools.pairwise(shas)]
    pack = write_pack(disk / "lion/.git", chain)
    packs = MOST_STEPS // DEPTH_LIMIT + 1
    links(pack, packs, ".pack")
    links(pack.with_suffix(".idx"), packs, ".idx")

    assert too_much(disk / "lion")


def test_refs_that_are_read_for_each_tag_are_not_many_megabytes(disk: Path) -> None:
    sha = without_tag_1(disk / "lion")
    (disk / "lion/.git/refs/tags/1").unlink()
    (disk / "lion/.git/packed-refs").write_text(f"{sha} refs/heads/other\n" * 50_000 + f"{sha} refs/tags/1\n")

    assert too_much(disk / "lion")
