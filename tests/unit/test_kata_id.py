"""The grammar of ids, avatars and volumes."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from katafs.kata_id import (
    AVATARS,
    ROOT_VOLUME,
    KataId,
    avatar_name,
    avatar_volume,
    inner_of,
    is_inner,
    is_outer,
    kata_id,
    kata_volume,
    outer_of,
    volume_owner,
)

IDS = st.text(alphabet="0123456789ABCDEF", min_size=10, max_size=10).map(KataId)
AVATAR_NAMES = st.sampled_from(AVATARS)
NEARLY_IDS = st.text(alphabet="0189AFGafx_ \n\u0661\uff11", max_size=12)


@given(IDS)
def test_ten_digits_are_an_id(text: str) -> None:
    assert kata_id(text) == text


@given(NEARLY_IDS | st.text(max_size=12))
def test_an_id_is_ten_upper_case_hexadecimal_digits_and_nothing_else(text: str) -> None:
    right = len(text) == 10 and set(text) <= set(string.digits + "ABCDEF")

    assert (kata_id(text) is not None) is right


@pytest.mark.parametrize(
    "text", ["", "123456789", "123456789AB", "123456789a", "123456789G", "123456789A\n", "\uff11234567890"]
)
def test_what_is_no_id(text: str) -> None:
    assert kata_id(text) is None


@given(IDS)
def test_an_id_is_its_outer_and_its_inner_part(kata: KataId) -> None:
    assert (len(outer_of(kata)), len(inner_of(kata)), outer_of(kata) + inner_of(kata)) == (2, 8, kata)


@given(IDS)
def test_the_parts_of_an_id_are_known_as_such(kata: KataId) -> None:
    assert is_outer(outer_of(kata))
    assert is_inner(inner_of(kata))


@pytest.mark.parametrize("text", ["", "1", "123", "1g", "aB", "12\n", " 1"])
def test_what_is_no_outer_part(text: str) -> None:
    assert not is_outer(text)


@pytest.mark.parametrize("text", ["", "3456789", "3456789AB", "3456789a", "3456789A\n"])
def test_what_is_no_inner_part(text: str) -> None:
    assert not is_inner(text)


def test_there_are_64_avatars_in_alphabetical_order() -> None:
    assert len(AVATARS) == len(set(AVATARS)) == 64
    assert list(AVATARS) == sorted(AVATARS)


@pytest.mark.parametrize("text", ["", "Lion", "lions", "lion ", "sandbox", "unicorn"])
def test_what_is_no_avatar(text: str) -> None:
    assert avatar_name(text) is None


@given(IDS)
def test_a_katas_volume_belongs_to_the_kata(kata: KataId) -> None:
    assert volume_owner(kata_volume(kata)) == (kata, None)


@given(IDS, AVATAR_NAMES)
def test_an_avatars_volume_belongs_to_the_avatar(kata: KataId, avatar: str) -> None:
    name = avatar_name(avatar)

    assert name is not None
    assert volume_owner(avatar_volume(kata, name)) == (kata, name)


def test_an_avatars_volume_is_named_after_both() -> None:
    assert avatar_volume(KataId("123456789A"), AVATARS[AVATARS.index("lion")]) == "123456789A_lion"


@pytest.mark.parametrize(
    "name",
    ["", ROOT_VOLUME, "lion", "_lion", "123456789A_", "123456789A_Lion", "123456789A_lion_", "123456789A-lion",
     "p123456789A", "123456789a", "123456789A_lion_wolf", "123456789A_lion\n"],
)  # fmt: skip
def test_other_volumes_belong_to_no_kata(name: str) -> None:
    assert volume_owner(name) is None


@given(NEARLY_IDS | st.text(max_size=20))
def test_any_text_has_an_owner_that_would_name_it_so_or_none(text: str) -> None:
    owner = volume_owner(text)

    assert owner is None or text == (kata_volume(owner[0]) if owner[1] is None else avatar_volume(owner[0], owner[1]))
