"""What looks odd in a kata: to be told, and never a reason not to convert it."""

import json
import os
from collections.abc import Iterator

from katafs.kata_id import KataId, avatar_name
from katafs.rooted import files, names

_MANIFEST = b"manifest.json"
_LARGEST_BYTES = 64 * 1024 * 1024
"""One manifest of 475 MB is known: it is converted as the bytes it is, and not looked into."""


def oddities(directory: int, kata: KataId) -> Iterator[str]:
    """What a person would want to know of a kata, each in a few words."""
    yield from _of_manifest(directory, kata)
    for name in names.listing(directory):
        avatar = avatar_name(os.fsdecode(name))
        if avatar is None or not files.is_directory(directory, name):
            continue
        with files.opened_directory(directory, name) as descriptor:
            if names.is_empty(descriptor):
                yield f"{avatar} is empty"


def _of_manifest(directory: int, kata: KataId) -> Iterator[str]:
    try:
        content = files.read(directory, _MANIFEST, _LARGEST_BYTES)
    except FileNotFoundError:
        yield "no manifest"
        return
    except OSError as problem:
        yield f"its manifest can't be read: {problem.strerror}"
        return
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError):
        yield "its manifest is not JSON"
        return
    if not isinstance(manifest, dict):
        yield "its manifest is not an object"
    elif manifest.get("id") != kata:
        yield f"its manifest has the id {manifest.get('id')!r}"
