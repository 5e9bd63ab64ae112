"""increments.json in all its shapes: the colour and the time of each test run.

Source of the shapes: entries say `colour`, or `outcome` in its place, and their time may be null. Must not know where
the file lies.
"""

import json
from typing import NamedTuple

from katafs.errors import CorruptKata

LIMIT_BYTES = 1 << 20
"""Some 15,000 test runs; as Python's objects it is many times larger."""


class Light(NamedTuple):
    """A traffic-light: of tag 0, and of what increments.json doesn't name, colour and time are None.

    The time is year, month, day, hour, minute, second, in the server's time zone."""

    number: int
    colour: str | None
    time: list[int] | None


def lights(content: bytes) -> dict[int, Light]:
    """The lights by their number. An entry that doesn't say its number has that of its place.

    Raises CorruptKata where the content is no JSON list of objects."""
    try:
        entries = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CorruptKata(f"increments.json can't be parsed: {error}") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise CorruptKata("increments.json is no list of objects")
    found = (_light(entry, place) for place, entry in enumerate(entries, start=1))
    return {light.number: light for light in found}


def light_of(found: dict[int, Light], number: int) -> Light:
    """The light of a tag. Tag 0 has none, whatever increments.json says."""
    if number == 0 or number not in found:
        return Light(number, None, None)
    return found[number]


def _light(entry: dict[str, object], place: int) -> Light:
    number = entry.get("number", place)
    colour = entry.get("colour", entry.get("outcome"))
    time = entry.get("time")
    return Light(
        number if type(number) is int else place,  # and no bool, which is an int as well
        colour if isinstance(colour, str) else None,
        time if isinstance(time, list) and all(isinstance(part, int) for part in time) else None,
    )
