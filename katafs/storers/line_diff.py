"""Which lines of a text changed: the fewest (Myers, An O(ND) Difference Algorithm, 1986), as `git diff --minimal`.

Lines that differ in the white space at their ends only are the same. Pure.
"""

import enum
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_WHITE = b" \t\r\n"
"""What git takes for white space."""
_MOST_EDITS = 1000
"""Past this many changed lines that also occur on the other side, the rest is taken as replaced as a whole: the
difference is right then, and not the shortest, and neither time nor memory grow with the square of it."""


class Change(enum.Enum):
    """What happened to a line."""

    SAME = "same"
    ADDED = "added"
    DELETED = "deleted"


class Line(NamedTuple):
    """One line of a difference; a line that is the same is shown as the new file has it."""

    change: Change
    text: str
    """Without its newline. What isn't UTF-8 is shown as U+FFFD."""


def line_difference(old: bytes, new: bytes) -> tuple[Line, ...]:
    """Every line of both files, or none where no line differs."""
    before, after = _lines(old), _lines(new)
    pairs = list(_common([line.rstrip(_WHITE) for line in before], [line.rstrip(_WHITE) for line in after]))
    if len(pairs) == len(before) == len(after):
        return ()
    return tuple(_woven(before, after, pairs))


def text_of(line: bytes) -> str:
    """A line as text."""
    return line.decode(errors="replace")


def _lines(content: bytes) -> list[bytes]:
    lines = content.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


def _woven(before: Sequence[bytes], after: Sequence[bytes], pairs: Sequence[tuple[int, int]]) -> Iterator[Line]:
    old = new = 0
    for next_old, next_new in [*pairs, (len(before), len(after))]:
        yield from (Line(Change.DELETED, text_of(line)) for line in before[old:next_old])
        yield from (Line(Change.ADDED, text_of(line)) for line in after[new:next_new])
        if next_new < len(after):
            yield Line(Change.SAME, text_of(after[next_new]))
        old, new = next_old + 1, next_new + 1


def _common(before: Sequence[bytes], after: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """The positions of a longest common subsequence."""
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        yield start, start
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    # A line that the other side lacks is in no common subsequence: without those the search is short.
    in_before, in_after = set(before[start : len(before) - end]), set(after[start : len(after) - end])
    old = [index for index in range(start, len(before) - end) if before[index] in in_after]
    new = [index for index in range(start, len(after) - end) if after[index] in in_before]
    matches = _matches([before[index] for index in old], [after[index] for index in new])
    yield from ((old[x], new[y]) for x, y in matches)
    yield from zip(range(len(before) - end, len(before)), range(len(after) - end, len(after)), strict=True)


def _matches(one: Sequence[bytes], two: Sequence[bytes]) -> list[tuple[int, int]]:
    """Myers' greedy algorithm: for each number of edits, the furthest x reached on each diagonal x - y."""
    furthest = {1: 0}
    history: list[dict[int, int]] = []
    for edits in range(min(len(one) + len(two), _MOST_EDITS) + 1):
        reached: dict[int, int] = {}
        for diagonal in range(-edits, edits + 1, 2):
            x = _step(furthest, diagonal, edits)
            y = x - diagonal
            while x < len(one) and y < len(two) and one[x] == two[y]:
                x, y = x + 1, y + 1
            reached[diagonal] = x
            if x >= len(one) and y >= len(two):
                history.append(reached)
                return _walked_back(history, len(one), len(two))
        history.append(reached)
        furthest = reached
    return []


def _step(furthest: dict[int, int], diagonal: int, edits: int) -> int:
    """One edit from the furthest of the neighbouring diagonals: down takes a line of the second, right drops one of
    the first."""
    if _goes_down(furthest, diagonal, edits):
        return furthest[diagonal + 1]
    return furthest[diagonal - 1] + 1


def _walked_back(history: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    matches: list[tuple[int, int]] = []
    for edits in range(len(history) - 1, -1, -1):
        start = _step(history[edits - 1] if edits else {1: 0}, x - y, edits)
        while x > start:
            x, y = x - 1, y - 1
            matches.append((x, y))
        if edits:
            # The edit itself: down came from the diagonal above, right from the one below.
            x, y = (x, y - 1) if _goes_down(history[edits - 1], x - y, edits) else (x - 1, y)
    return matches[::-1]


def _goes_down(furthest: dict[int, int], diagonal: int, edits: int) -> bool:
    return diagonal == -edits or (diagonal != edits and furthest[diagonal - 1] < furthest[diagonal + 1])
