"""JSON files as the servers write them: compact, UTF-8, keys in the order they came in.

Knows nothing of what the objects mean.
"""

import json
from typing import Any

from katafs.errors import BadContent, CorruptKata
from katafs.rooted import files

LIMIT_BYTES = 512 * 1024 * 1024
"""The largest file that is read. The largest manifest seen in a real kata has 475 MB."""


def encoded(value: object, what: str) -> bytes:
    """The value as a file's content. Raises BadContent where it isn't JSON, or has text that can't be UTF-8."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as problem:
        raise BadContent(f"{what} can't be written as JSON: {problem}") from None


def decoded(content: bytes, what: str) -> object:
    """The value in a file's content. Raises CorruptKata for broken JSON and for what isn't UTF-8."""
    try:
        return json.loads(content.decode())
    except UnicodeDecodeError as problem:
        raise CorruptKata(f"{what} is not UTF-8: byte {problem.start}") from None
    except (ValueError, RecursionError) as problem:
        raise CorruptKata(f"{what} is broken JSON: {problem}") from None


def read_object(directory: int, name: bytes, what: str) -> dict[str, Any]:
    """The object in a file. Raises FileNotFoundError, CorruptKata."""
    return checked_object(decoded(files.read(directory, name, LIMIT_BYTES), what), what)


def checked_object(value: object, what: str) -> dict[str, Any]:
    """The value if it is an object. Raises CorruptKata."""
    if not isinstance(value, dict):
        raise CorruptKata(f"{what} is not an object")
    return value


def checked_texts(value: object, what: str) -> dict[str, str]:
    """The value if it is an object of texts, as visible files are. Raises CorruptKata."""
    found = checked_object(value, what)
    if not all(isinstance(content, str) for content in found.values()):
        raise CorruptKata(f"{what} has a file whose content is not text")
    return found
