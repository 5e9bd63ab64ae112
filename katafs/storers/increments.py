"""An avatar's traffic-lights: `<avatar>/increments.json`, a list of objects, `[]` at the start; tag 0 is never in it.

What old katas have in it is data: `outcome` for `colour`, a null `time`, keys that nobody knows any more. A storer
gives the entries as they are stored; who looks at what nobody vouches for gets the lights that can be made of them.
"""

import json
from typing import NamedTuple

from katafs.errors import CorruptKata, IncrementsMissing
from katafs.rooted import files
from katafs.storers.json_files import LIMIT_BYTES, decoded, encoded
from katafs.storers.storer import Increment, Tag
from katafs.untrusted.files import read_file

INCREMENTS = b"increments.json"
LIGHTS_LIMIT_BYTES = 1 << 20
"""Some 15,000 test runs; as Python's objects it is many times larger."""


class Light(NamedTuple):
    """A traffic-light: of tag 0, and of what increments.json doesn't name, colour and time are None.

    The time is year, month, day, hour, minute, second, in the server's time zone."""

    number: int
    colour: str | None
    time: list[int] | None


def read_increments(avatar: int, whose: str) -> list[Increment]:
    """The traffic-lights as they are stored. Raises IncrementsMissing, CorruptKata."""
    what = f"increments.json of {whose}"
    try:
        found = decoded(files.read(avatar, INCREMENTS, LIMIT_BYTES), what)
    except FileNotFoundError:
        raise IncrementsMissing(f"{what} isn't there") from None
    if not isinstance(found, list) or not all(_is_increment(increment) for increment in found):
        raise CorruptKata(f"{what} is not a list of objects that have a number")
    return found


def _is_increment(value: object) -> bool:
    return isinstance(value, dict) and type(value.get("number")) is int and value["number"] > 0


def write_increments(avatar: int, increments: list[Increment]) -> None:
    """Store the traffic-lights, so that the disk has them on return."""
    files.replace(avatar, INCREMENTS, encoded(increments, "increments.json"), durable=True)


def next_number(increments: list[Increment]) -> int:
    """The number of the test run that follows."""
    return max((increment["number"] for increment in increments), default=0) + 1


def increment_of(tag: Tag) -> Increment:
    """The traffic-light of a tag, its keys in the servers' order."""
    return {"colour": tag["colour"], "time": tag["time"], "number": tag["number"]}


def colour_of(increment: Increment) -> str | None:
    """The colour of a traffic-light, which katas of 2012 call its outcome."""
    colour = increment.get("colour", increment.get("outcome"))
    return colour if isinstance(colour, str) else None


def stored_lights(avatar: int) -> dict[int, Light]:
    """The lights of an avatar, whoever wrote them, by their number; {} where there is no increments.json.

    Raises CorruptKata where it is broken or no file, OSError(EFBIG) above 1 MiB."""
    try:
        return lights(read_file(avatar, INCREMENTS, LIGHTS_LIMIT_BYTES))
    except FileNotFoundError:
        return {}


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


def _light(entry: Increment, place: int) -> Light:
    number, time = entry.get("number", place), entry.get("time")
    return Light(
        number if type(number) is int else place,  # and no bool, which is an int as well
        colour_of(entry),
        time if isinstance(time, list) and all(isinstance(part, int) for part in time) else None,
    )


def light_of(found: dict[int, Light], number: int) -> Light:
    """The light of a tag. Tag 0 has none, whatever increments.json says."""
    if number == 0 or number not in found:
        return Light(number, None, None)
    return found[number]
