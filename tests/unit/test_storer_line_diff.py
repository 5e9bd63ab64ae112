"""The lines that differ: right, shortest, and found quickly."""

import itertools

import pytest

from katafs.storers.line_diff import Change, Line, line_difference


def lines(text: str) -> bytes:
    """A file with each character on a line of its own."""
    return "".join(f"{character}\n" for character in text).encode()


def shown(old: str, new: str) -> str:
    """A difference as one line, each line of the files with its sign."""
    signs = {Change.SAME: "=", Change.ADDED: "+", Change.DELETED: "-"}
    return " ".join(signs[line.change] + line.text for line in line_difference(lines(old), lines(new)))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", ""),
        ("abc", "abc", ""),
        ("", "ab", "+a +b"),
        ("ab", "", "-a -b"),
        ("abc", "axc", "=a -b +x =c"),
        ("abc", "ac", "=a -b =c"),
        ("ac", "abc", "=a +b =c"),
        ("ab", "cd", "-a -b +c +d"),
    ],
)
def test_the_lines_that_differ(old: str, new: str, expected: str) -> None:
    assert shown(old, new) == expected


SMALL = ["".join(letters) for size in range(5) for letters in itertools.product("ab", repeat=size)]


@pytest.mark.parametrize("old", SMALL)
def test_a_difference_leads_from_the_old_file_to_the_new(old: str) -> None:
    for new in SMALL:
        found = line_difference(lines(old), lines(new)) or [Line(Change.SAME, line) for line in new]
        assert "".join(line.text for line in found if line.change is not Change.DELETED) == new
        assert "".join(line.text for line in found if line.change is not Change.ADDED) == old


@pytest.mark.parametrize("old", SMALL)
def test_a_difference_keeps_the_most_lines_that_can_be_kept(old: str) -> None:
    for new in SMALL:
        found = line_difference(lines(old), lines(new))
        kept = sum(line.change is Change.SAME for line in found) if found else len(new)
        assert kept == longest_common(old, new)


def longest_common(one: str, two: str) -> int:
    """The length of the longest common subsequence, by trying all of them."""
    common = (
        size
        for size in range(len(one), -1, -1)
        for letters in itertools.combinations(one, size)
        if is_within("".join(letters), two)
    )
    return next(common)


def is_within(part: str, whole: str) -> bool:
    """Whether the letters of the part occur in this order."""
    rest = iter(whole)
    return all(letter in rest for letter in part)


def test_white_space_at_the_ends_of_lines_makes_no_difference() -> None:
    assert line_difference(b"a\nb\n", b"a \t\nb\r") == ()


def test_a_line_that_is_the_same_is_shown_as_it_is_now() -> None:
    assert line_difference(b"a\nb\n", b"a \nc\n")[0] == Line(Change.SAME, "a ")


def test_bytes_that_are_not_text_are_shown_as_replaced() -> None:
    assert line_difference(b"", b"\xff\n") == (Line(Change.ADDED, "�"),)


def test_large_files_without_a_line_in_common_are_all_replaced() -> None:
    old = b"".join(b"old %d\n" % number for number in range(50_000))
    new = b"".join(b"new %d\n" % number for number in range(50_000))
    assert len(line_difference(old, new)) == 100_000


def test_large_files_in_another_order_have_a_difference_that_is_right() -> None:
    old = b"".join(b"%d\n" % number for number in range(20_000))
    new = b"".join(b"%d\n" % number for number in reversed(range(20_000)))
    found = line_difference(old, new)
    assert [line.text for line in found if line.change is not Change.DELETED] == new.decode().splitlines()
