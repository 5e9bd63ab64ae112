"""An avatar's traffic-lights: `<avatar>/increments.json`, a list of objects, `[]` at the start; tag 0 is never in it.

What old katas have in it is data: `outcome` for `colour`, a null `time`, keys that nobody knows any more.
"""

from katafs.errors import CorruptKata, IncrementsMissing
from katafs.rooted import files
from katafs.storers.json_files import LIMIT_BYTES, decoded, encoded
from katafs.storers.storer import Increment, Tag

INCREMENTS = b"increments.json"


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
