"""The catalog of volumes, without any store."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from katafs.kata_id import ROOT_VOLUME, AvatarName, KataId, VolumeName
from katafs.volumes.catalog import Catalog

KATA = KataId("123456789A")
NEIGHBOUR = KataId("12FEDCBA98")
FAR = KataId("FF00000000")
OWN = VolumeName("123456789A")
LION = VolumeName("123456789A_lion")
BEAR = VolumeName("123456789A_bear")


@pytest.fixture
def catalog() -> Catalog:
    """Three katas, one of them with two avatars' volumes, and the root volume."""
    return Catalog([OWN, LION, BEAR, VolumeName(NEIGHBOUR), VolumeName(FAR), ROOT_VOLUME])


def test_names_are_all_volumes(catalog: Catalog) -> None:
    assert catalog.names() == {OWN, LION, BEAR, VolumeName(NEIGHBOUR), VolumeName(FAR), ROOT_VOLUME}


def test_a_volume_is_in_it(catalog: Catalog) -> None:
    assert LION in catalog


def test_outers_are_sorted_and_each_is_there_once(catalog: Catalog) -> None:
    assert catalog.outers() == ["12", "FF"]


def test_katas_are_sorted_and_each_is_there_once(catalog: Catalog) -> None:
    assert catalog.katas() == [KATA, NEIGHBOUR, FAR]


def test_katas_in_are_those_of_one_outer(catalog: Catalog) -> None:
    assert catalog.katas_in("12") == [KATA, NEIGHBOUR]


def test_katas_in_an_outer_without_katas_are_none(catalog: Catalog) -> None:
    assert catalog.katas_in("00") == []


def test_counts_are_of_katas_and_not_of_volumes(catalog: Catalog) -> None:
    assert (catalog.count(), catalog.count_in("12"), catalog.count_in("00")) == (3, 2, 0)


def test_avatars_are_sorted(catalog: Catalog) -> None:
    assert catalog.avatars_of(KATA) == [AvatarName("bear"), AvatarName("lion")]


def test_a_kata_without_avatars_volumes_has_none(catalog: Catalog) -> None:
    assert catalog.avatars_of(FAR) == []


def test_a_kata_with_only_an_avatars_volume_is_a_kata() -> None:
    assert Catalog([LION]).has_kata(KATA)


def test_adding_twice_changes_nothing(catalog: Catalog) -> None:
    catalog.add(OWN)
    assert catalog.count_in("12") == 2


def test_a_kata_stays_while_an_avatars_volume_is_left(catalog: Catalog) -> None:
    catalog.discard(OWN)
    catalog.discard(BEAR)
    assert catalog.has_kata(KATA)


def test_a_kata_goes_with_its_last_volume(catalog: Catalog) -> None:
    for name in (OWN, LION, BEAR):
        catalog.discard(name)
    assert not catalog.has_kata(KATA)


def test_an_outer_goes_with_its_last_kata(catalog: Catalog) -> None:
    catalog.discard(VolumeName(FAR))
    assert catalog.outers() == ["12"]


def test_discarding_what_is_not_there_changes_nothing(catalog: Catalog) -> None:
    before = catalog.names()
    catalog.discard(VolumeName("0000000000_lion"))
    assert catalog.names() == before


def test_the_root_volume_is_no_kata() -> None:
    assert Catalog([ROOT_VOLUME]).katas() == []


def test_lists_are_the_callers_own(catalog: Catalog) -> None:
    catalog.katas_in("12").clear()
    assert catalog.count_in("12") == 2


def test_the_indexes_agree_after_changes_from_many_threads() -> None:
    catalog = Catalog()
    names = [VolumeName(f"{number % 4:02X}{number:08X}") for number in range(400)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(catalog.add, names))
        list(pool.map(catalog.discard, names[::3]))
    left = {name for index, name in enumerate(names) if index % 3}
    assert {VolumeName(kata) for outer in catalog.outers() for kata in catalog.katas_in(outer)} == left
    assert catalog.names() == left


class Unwalkable(dict[KataId, tuple[AvatarName | None, ...]]):
    """Tells of one key at a time."""

    def __iter__(self) -> Iterator[KataId]:
        raise AssertionError("a question about one kata walks over all")

    keys = items = values = __iter__  # type: ignore[assignment]  # they raise as well


def test_a_question_about_one_kata_walks_over_no_others(catalog: Catalog) -> None:
    catalog._owners = Unwalkable(catalog._owners)  # noqa: SLF001  # that it's never walked over shows nowhere else

    assert catalog.avatars_of(KATA) == ["bear", "lion"]
    assert (catalog.has_kata(KATA), catalog.count_in("12"), LION in catalog) == (True, 2, True)
    catalog.discard(BEAR)
    catalog.add(VolumeName("123456789A_wolf"))
    assert catalog.avatars_of(KATA) == ["lion", "wolf"]
    with pytest.raises(AssertionError, match="walks over all"):
        catalog.katas()
