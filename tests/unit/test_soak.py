"""What a soak holds a mount to: each kind of difference between two trees is seen, and each bound is one."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.engine import Engine
from tests.soak.bounds import DESCRIPTORS, MORE_RESIDENT, MORE_RESIDENT_BYTES, beyond
from tests.soak.choice import Choice
from tests.soak.entries import difference, entries
from tests.soak.operations import OPERATIONS
from tests.soak.samples import NODES, Sample
from tests.soak.sides import Different, MountedSide, Side, Sides

WARM = Sample(resident_bytes=40 << 20, descriptors=12, nodes=1, handles=0, kept_descriptors=0, katas=6)
AT_THE_BOUND = replace(
    WARM,
    resident_bytes=int(WARM.resident_bytes * (1 + MORE_RESIDENT)) + MORE_RESIDENT_BYTES,
    descriptors=WARM.descriptors + DESCRIPTORS,
    nodes=NODES,
)
A_TIME_NS = 10**18


def test_what_is_at_its_bound_is_let_through() -> None:
    assert beyond(WARM, AT_THE_BOUND) == []


@pytest.mark.parametrize("what", ["resident_bytes", "descriptors", "nodes", "handles"])
def test_what_is_beyond_its_bound_is_told(what: str) -> None:
    more = getattr(AT_THE_BOUND, what) + 1

    (told,) = beyond(WARM, replace(AT_THE_BOUND, **{what: more}))

    assert told.endswith(f": {more} at the end, bound {more - 1}")


def grown(root: Path) -> Path:
    """A tree in which everything can be made different."""
    (root / "d").mkdir(parents=True)
    (root / "d" / "file").write_text("content")
    os.link(root / "d" / "file", root / "second")
    (root / "copy").write_text("content")
    (root / "link").symlink_to("d")
    os.utime(root / "copy", ns=(A_TIME_NS, A_TIME_NS))
    return root


def _relink(root: Path) -> None:
    (root / "second").unlink()
    (root / "copy").unlink()
    os.link(root / "d" / "file", root / "copy")
    (root / "second").write_text("content")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda root: (root / "copy").write_text("CONTENT"), id="content"),
        pytest.param(lambda root: (root / "copy").chmod(0o600), id="mode"),
        pytest.param(lambda root: os.chown(root / "link", 33, 33, follow_symlinks=False), id="owner"),
        pytest.param(lambda root: os.utime(root / "copy", ns=(0, A_TIME_NS + 1)), id="a time that was set"),
        pytest.param(lambda root: os.utime(root / "copy"), id="a time that was set, and is now's"),
        pytest.param(lambda root: os.setxattr(root / "d", "user.x", b"1"), id="extended attribute"),
        pytest.param(lambda root: (root / "d").rename(root / "e"), id="name"),
        pytest.param(lambda root: (root / "link").unlink() or (root / "link").symlink_to("e"), id="target"),
        pytest.param(_relink, id="which names are one inode"),
    ],
)
def test_a_difference_between_trees_is_told(disk: Path, change: Callable[[Path], object]) -> None:
    needs.root()
    wanted, found = grown(disk / "wanted"), grown(disk / "found")
    assert difference(entries(wanted), entries(found)) == ""

    change(found)

    assert difference(entries(wanted), entries(found)) != ""


@pytest.fixture
def sides(disk: Path) -> Sides:
    """Two plain directories."""
    reference, mount = disk / "reference", disk / "mount"
    reference.mkdir()
    mount.mkdir()
    return Sides(Side(reference, disk, {}), MountedSide(mount, disk, {}, engine=Engine(disk)))


def test_the_same_refusal_is_no_difference(sides: Sides) -> None:
    assert sides.agree(lambda side: os.rmdir(side.root / "nothing")) == "ENOENT"
    assert sides.agree(lambda side: os.mkdir(side.root / "something")) is None


def test_different_outcomes_are_told(sides: Sides) -> None:
    (sides.mount.root / "only-here").mkdir()

    with pytest.raises(Different, match=r"reference: Refusal\(name='ENOENT'\), mount: None"):
        sides.agree(lambda side: os.rmdir(side.root / "only-here"))
    (sides.mount.root / "other").mkdir()
    with pytest.raises(Different, match=r"reference: \[\], mount: \['other'\]"):
        sides.agree(lambda side: os.listdir(side.root))


def test_a_seed_draws_the_same_again() -> None:
    first, second = Choice("1.0.soak"), Choice("1.0.soak")
    for choice in first, second:
        choice.katas.append("E0/00000001")
        for operation in OPERATIONS.values():
            operation.draw(choice)

    assert (first.bytes_drawn, first.content()) == (second.bytes_drawn, second.content())
