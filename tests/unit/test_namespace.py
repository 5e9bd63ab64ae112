"""Where names stand in the tree, in either layout."""

import os
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from katafs.kata_id import AVATARS, KataId, inner_of, kata_volume, outer_of
from katafs.namespace import PLAIN, ROOT, Kind, Layout, Place, alias_target, child, name_of

IDS = st.text(alphabet="0123456789ABCDEF", min_size=10, max_size=10).map(KataId)
LAYOUTS = st.sampled_from(Layout)
NAMES = st.binary(min_size=1, max_size=255).filter(lambda name: b"/" not in name and b"\0" not in name)

FLAT, SPLIT = Layout.FLAT, Layout.SPLIT


def place_of(path: str, layout: Layout) -> Place:
    return reduce(lambda place, name: child(place, os.fsencode(name), layout), path.split("/"), ROOT)


@pytest.mark.parametrize(
    ("layout", "path", "kind"),
    [
        (FLAT, "123456789A", Kind.KATA),
        (FLAT, "12", Kind.OUTER),
        (FLAT, "12/3456789A", Kind.ALIAS),
        (FLAT, "123456789A/lion", Kind.AVATAR),
        (FLAT, "123456789A/lion/sandbox", Kind.SANDBOX),
        (SPLIT, "12/3456789A", Kind.KATA),
        (SPLIT, "12", Kind.OUTER),
        (SPLIT, "123456789A", Kind.ALIAS),
        (SPLIT, "12/3456789A/lion", Kind.AVATAR),
        (SPLIT, "12/3456789A/lion/sandbox", Kind.SANDBOX),
    ],
)
def test_what_a_path_is(layout: Layout, path: str, kind: Kind) -> None:
    assert place_of(path, layout).kind is kind


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize(
    "path",
    ["readme.txt", "123456789a", "123456789", "123456789AB", "1g", "ab", "123", "lion", "sandbox", "tags", "12/lion",
     "12/3456789", "12/3456789a", "12/123456789A", "12/12", "readme.txt/12", "123456789A\udcff", "12/3456789A\n"],
)  # fmt: skip
def test_any_other_name_is_plain(layout: Layout, path: str) -> None:
    assert place_of(path, layout) == PLAIN


@pytest.mark.parametrize("name", ["Lion", "unicorn", "sandbox", "manifest.json", "12", "123456789A", "lion\udcff"])
def test_only_an_avatars_name_is_an_avatar(name: str) -> None:
    assert place_of(f"123456789A/{name}", FLAT) == PLAIN


@pytest.mark.parametrize("name", ["Sandbox", "sandbox2", "Tags", "lion", ".git"])
def test_only_the_sandbox_and_the_tags_are_such(name: str) -> None:
    assert place_of(f"123456789A/lion/{name}", FLAT) == PLAIN


@pytest.mark.parametrize("number", [0, 1, 10, 9999])
def test_a_tag_is_known_by_its_number(number: int) -> None:
    place = place_of(f"123456789A/lion/tags/{number}.json", FLAT)

    assert (place.kind, place.kata, place.avatar, place.tag) == (Kind.TAG, "123456789A", "lion", number)


@pytest.mark.parametrize("name", ["01.json", "-1.json", "10000.json", "1", "1.JSON", "1.json\n", "\u0661.json"])
def test_any_other_name_among_the_tags_is_plain(name: str) -> None:
    assert place_of(f"123456789A/lion/tags/{name}", FLAT) == PLAIN


@given(IDS, LAYOUTS, st.sampled_from(AVATARS))
def test_a_kata_is_the_same_place_but_for_where_it_shows(kata: KataId, layout: Layout, avatar: str) -> None:
    path = kata if layout is FLAT else f"{outer_of(kata)}/{inner_of(kata)}"

    assert place_of(path, layout).volume == kata_volume(kata)
    assert place_of(f"{path}/{avatar}", layout).volume is None
    assert place_of(f"{path}/{avatar}/sandbox", layout).volume == f"{kata}_{avatar}"


@given(IDS, LAYOUTS)
def test_an_alias_is_no_volume_of_its_own(kata: KataId, layout: Layout) -> None:
    path = kata if layout is SPLIT else f"{outer_of(kata)}/{inner_of(kata)}"
    place = place_of(path, layout)

    assert (place.kind, place.kata, place.volume) == (Kind.ALIAS, kata, None)


@given(IDS, LAYOUTS)
def test_an_alias_leads_to_the_kata(kata: KataId, layout: Layout) -> None:
    directory = "" if layout is SPLIT else outer_of(kata)
    target = os.path.normpath(os.path.join(directory, os.fsdecode(alias_target(kata, layout))))

    assert place_of(target, layout).volume == kata_volume(kata)


@given(IDS, LAYOUTS)
def test_a_katas_name_is_the_last_of_its_path(kata: KataId, layout: Layout) -> None:
    outer = child(ROOT, outer_of(kata).encode(), layout)
    above = ROOT if layout is FLAT else outer

    assert child(above, name_of(kata, layout), layout).volume == kata_volume(kata)


@given(st.lists(NAMES, max_size=6), LAYOUTS)
def test_any_path_has_a_place(path: list[bytes], layout: Layout) -> None:
    place = reduce(lambda place, name: child(place, name, layout), path, ROOT)

    assert (place.kind is Kind.ROOT) is (path == [])


@given(st.lists(NAMES, min_size=1, max_size=3), LAYOUTS)
def test_below_a_plain_name_and_below_a_sandbox_all_is_plain(path: list[bytes], layout: Layout) -> None:
    sandbox = place_of("123456789A/lion/sandbox" if layout is FLAT else "12/3456789A/lion/sandbox", layout)

    assert all(reduce(lambda place, name: child(place, name, layout), path, top) == PLAIN for top in (PLAIN, sandbox))
