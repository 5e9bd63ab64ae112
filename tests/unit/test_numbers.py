"""Inode numbers."""

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from katafs.kata_id import AVATARS, KataId
from katafs.namespace import PLAIN, ROOT, Kind, Place
from katafs.tree.nodes import ROOT_NUMBER
from katafs.tree.numbers import Numbers
from tests.harness.refusals import refused

HOME = os.makedev(8, 1)
OTHER = os.makedev(7, 3)
THIRD = os.makedev(7, 4)

IDS = st.text(alphabet="0123456789ABCDEF", min_size=10, max_size=10).map(KataId)


def kata(text: str, kind: Kind = Kind.KATA) -> Place:
    return Place(kind, text[:2], KataId(text))


def avatar(text: str, name: str) -> Place:
    return Place(Kind.AVATAR, kata=KataId(text), avatar=AVATARS[AVATARS.index(name)])


def inode(device: int, number: int) -> os.stat_result:
    return os.stat_result((0o100644, number, device, 1, 0, 0, 0, 0, 0, 0))


def test_the_top_has_fuses_number_for_it() -> None:
    assert Numbers.of_place(ROOT) == ROOT_NUMBER


@pytest.mark.parametrize("place", [PLAIN, Place(Kind.SANDBOX, kata=KataId("123456789A")), avatar("123456789A", "lion")])
def test_what_is_an_inode_of_some_volume_has_that_inodes_number(place: Place) -> None:
    assert Numbers.of_place(place) is None


def test_places_never_share_a_number() -> None:
    """At the edges of the ids, where one part's bits would run into another's."""
    ids = ["0000000000", "0000000001", "00FFFFFFFF", "0100000000", "FF00000000", "FFFFFFFFFF"]
    numbers = [Numbers.of_place(ROOT)]
    numbers += [Numbers.of_place(Place(Kind.OUTER, f"{outer:02X}")) for outer in range(256)]
    numbers += [Numbers.of_place(kata(each, kind)) for each in ids for kind in (Kind.KATA, Kind.ALIAS)]
    numbers += [Numbers.of_virtual_avatar(avatar(each, name)) for each in ids for name in AVATARS]

    assert len(set(numbers)) == len(numbers)


@given(IDS, st.sampled_from([Kind.KATA, Kind.ALIAS]))
def test_a_places_number_is_one_that_fuse_and_programs_can_hold(text: str, kind: Kind) -> None:
    number = Numbers.of_place(kata(text, kind))

    assert number is not None
    assert 0 < number < 1 << 63


def test_an_inode_of_the_home_file_system_keeps_its_number() -> None:
    assert Numbers(HOME).of_inode(inode(HOME, 4711)) == 4711


def test_one_inode_number_on_three_file_systems_gives_three() -> None:
    numbers = Numbers(HOME)

    assert len({numbers.of_inode(inode(device, 12)) for device in (HOME, OTHER, THIRD)}) == 3


def test_devices_whose_tags_would_be_the_same_get_different_ones() -> None:
    numbers = Numbers(HOME)
    alike = [os.makedev(major, 5) for major in (1, 17, 33)]

    assert len({numbers.of_inode(inode(device, 12)) for device in alike}) == 3


@pytest.mark.parametrize("order", [(OTHER, THIRD), (THIRD, OTHER)])
def test_the_order_in_which_file_systems_are_met_changes_no_number(order: tuple[int, int]) -> None:
    first, second = Numbers(HOME), Numbers(HOME)
    for device in order:
        second.of_inode(inode(device, 1))

    assert [first.of_inode(inode(each, 12)) for each in (OTHER, THIRD)] == [
        second.of_inode(inode(each, 12)) for each in (OTHER, THIRD)
    ]


@given(st.integers(1, (1 << 48) - 1), st.sampled_from([HOME, OTHER, THIRD]))
def test_no_inode_has_a_places_number_or_none(number: int, device: int) -> None:
    numbers = Numbers(HOME)

    assert 0 < numbers.of_inode(inode(device, number)) < 1 << 62


@pytest.mark.timeout(30)
def test_more_devices_than_there_are_numbers_for_are_refused() -> None:
    """A container makes them on btrfs, where each subvolume is one."""
    numbers = Numbers(1)
    for device in range(2, 1 + 4096):
        numbers.of_inode(inode(device, 5))

    with refused(errno.EXDEV):
        numbers.of_inode(inode(5000, 5))
