"""Deltas of git's packs: what one makes of its base, and no byte more than it says.

Source of the format: gitformat-pack(5). Not dulwich's own code, of which some versions go on past the size that a delta
says, for gigabytes or until its compiled parts panic (docs/decisions/0002-dulwich.md).
"""

from katafs.errors import CorruptKata
from katafs.untrusted.inflate import Work

_SIZE_BYTES = 10
_STEPS = 1024
"""So many are counted at a time."""
_STEP_COST_BYTES = 512
"""What a step costs however little it copies: it takes time, too."""
_COPIES = 0x80
"""In a step's first byte: it copies from the base, and the other bits say which bytes of start and size follow."""
_SIZE_OF_0 = 0x10000
"""What a copy of no size copies."""


def applied(base: bytes, delta: bytes, work: Work) -> bytes:
    """What the delta makes of its base. Raises CorruptKata, OSError(EFBIG)."""
    try:
        base_bytes, place = _size(delta, 0)
        result_bytes, place = _size(delta, place)
        work.take(result_bytes)
        if base_bytes != len(base):
            raise CorruptKata("a delta has another base than it says")
        return _followed(base, delta, place, result_bytes, work)
    except IndexError as error:
        raise CorruptKata("a delta is cut off") from error


def _followed(base: bytes, delta: bytes, place: int, result_bytes: int, work: Work) -> bytes:
    result, steps = bytearray(), 0
    while place < len(delta):
        command = delta[place]
        place += 1
        if command & _COPIES:
            start, count, place = _copy(delta, command, place)
            source = base
        else:
            start, count, source = place, command, delta
            place += count
        if not count or start + count > len(source) or len(result) + count > result_bytes:
            raise CorruptKata("a delta leads outside of its base or its result")
        result += memoryview(source)[start : start + count]
        steps += 1
        if steps % _STEPS == 0:
            work.take(_STEPS * _STEP_COST_BYTES)
    if len(result) != result_bytes:
        raise CorruptKata("a delta makes less than it says")
    return bytes(result)


def _copy(delta: bytes, command: int, place: int) -> tuple[int, int, int]:
    """Where a copy starts, its size, and where the next step is."""
    numbers = bytearray(7)
    for number in range(7):
        if command >> number & 1:
            numbers[number] = delta[place]
            place += 1
    start, count = (int.from_bytes(part, "little") for part in (numbers[:4], numbers[4:]))
    return start, count or _SIZE_OF_0, place


def _size(delta: bytes, start: int) -> tuple[int, int]:
    """A size in sevens of bits, the lowest first; and where it ends."""
    number = 0
    for place in range(start, start + _SIZE_BYTES):
        number |= (delta[place] & 0x7F) << 7 * (place - start)
        if not delta[place] & 0x80:
            return number, place + 1
    raise CorruptKata("a delta has no size")
