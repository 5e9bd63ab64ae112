"""`tags/<n>.json`, a tag as one file: an object with `number`, `colour`, `time`, `visible_files` (without `output`) and
`output`, as compact JSON and a line feed. It comes to be in one step and never changes.
"""

import re
from collections.abc import Mapping
from typing import Any

from katafs.errors import CorruptKata, TagNotFound
from katafs.rooted import files, names
from katafs.storers.checks import checked_number
from katafs.storers.json_files import checked_object, checked_texts, decoded, encoded, read_object
from katafs.storers.storer import OUTPUT, Tag

_KEYS = {"number", "colour", "time", "visible_files", "output"}
_FILE = re.compile(rb"(0|[1-9][0-9]{0,8})\.json")


def new_tag(number: int, colour: str | None, time: list[int] | None, shown: Mapping[str, str]) -> Tag:
    """A tag from visible files with the output among them."""
    own = {file: content for file, content in shown.items() if file != OUTPUT}
    return Tag(number=number, colour=colour, time=time, visible_files=own, output=shown.get(OUTPUT))


def shown_files(tag: Tag) -> dict[str, str]:
    """The visible files of a tag, `output` among them if it has one."""
    output = tag["output"]
    return tag["visible_files"] if output is None else {**tag["visible_files"], OUTPUT: output}


def file_of(number: int) -> bytes:
    """The name of a tag's file."""
    return b"%d.json" % number


def create_tag(tags: int, tag: Tag) -> None:
    """Store a tag; the disk has all of it on return. Raises FileExistsError where its number is taken."""
    files.create(tags, file_of(tag["number"]), encoded(tag, f"tag {tag['number']}") + b"\n")


def number_of(name: bytes) -> int | None:
    """The number of the tag whose file is called so; None for any other name."""
    match = _FILE.fullmatch(name)
    return int(match[1]) if match else None


def stored_numbers(tags: int) -> list[int]:
    """The numbers of the tags in a directory, sorted."""
    return sorted(number for name in names.listing(tags) if (number := number_of(name)) is not None)


def has_tag(tags: int, number: int) -> bool:
    """Whether a tag is stored."""
    return files.status_of(tags, file_of(number)) is not None


def read_tag(tags: int, number: int, whose: str) -> Tag:
    """A stored tag. Raises TagNotFound, CorruptKata."""
    what = f"tag {number} of {whose}"
    try:
        found = read_object(tags, file_of(checked_number(number)), what)
    except FileNotFoundError:
        raise TagNotFound(f"{what} isn't there") from None
    return _checked_tag(found, number, what)


def parsed_tag(content: bytes, number: int, whose: str) -> Tag:
    """A tag from the bytes of its file. Raises CorruptKata."""
    what = f"tag {number} of {whose}"
    return _checked_tag(checked_object(decoded(content, what), what), number, what)


def _checked_tag(found: dict[str, Any], number: int, what: str) -> Tag:
    if not found.keys() >= _KEYS or found["number"] != number:
        raise CorruptKata(f"{what} is not an object with {', '.join(sorted(_KEYS))}")
    output = found["output"]
    if output is not None and not isinstance(output, str):
        raise CorruptKata(f"{what} has an output that is not text")
    shown = checked_texts(found["visible_files"], f"visible_files of {what}")
    return Tag(number=number, colour=found["colour"], time=found["time"], visible_files=shown, output=output)
