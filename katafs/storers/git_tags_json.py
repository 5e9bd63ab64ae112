"""`tags/<n>.json` made of a tag's manifest.json and its light: one compact JSON object and a line feed.

    {"number":1,"colour":"red","time":[2016,8,29,10,0,0],"visible_files":{"hiker.c":"…"},"output":"…"}

The names and contents are those of the manifest, byte for byte: nothing is decoded and written anew. So they equal
what `git show n:manifest.json` says even where that isn't UTF-8, and a hostile manifest grows into no Python objects.
Must not know git.
"""

import io
import json
import re

from katafs.errors import CorruptKata
from katafs.storers.increments import Light

FILES_LIMIT = 100_000
"""The most visible files of a tag."""

_SPACE = rb"[ \t\n\r]*+"
_STRING = rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_OPENING = re.compile(rb"%(space)b\{%(space)b" % {b"space": _SPACE})
_CLOSING = re.compile(rb"\}%(space)b" % {b"space": _SPACE})
_COMMA = re.compile(rb",%(space)b" % {b"space": _SPACE})
_PAIR = re.compile(rb"(%(string)b)%(space)b:%(space)b(%(string)b)%(space)b" % {b"space": _SPACE, b"string": _STRING})
_DAMAGED = "manifest.json is no JSON object of names and texts"


def tag_json(light: Light, manifest: bytes) -> bytes:
    """The bytes of a tag's file. Raises CorruptKata where the manifest isn't an object whose values are strings."""
    head = {"number": light.number, "colour": light.colour, "time": light.time}
    written = io.BytesIO()
    written.write(json.dumps(head, separators=(",", ":"))[:-1].encode())
    written.write(b',"visible_files":{')
    output = _write_files(manifest, written)
    written.write(b'},"output":')
    written.write(output)
    written.write(b"}\n")
    return written.getvalue()


def _write_files(manifest: bytes, written: io.BytesIO) -> memoryview | bytes:
    """Write the pairs of a manifest but for `output`, and return what that one is."""
    output: memoryview | bytes = b"null"
    place = _end(_OPENING, manifest, 0)
    separator = b""
    view = memoryview(manifest)
    for _ in range(FILES_LIMIT):
        if _CLOSING.fullmatch(manifest, place):
            return output
        if separator or output != b"null":
            place = _end(_COMMA, manifest, place)
        pair = _PAIR.match(manifest, place)
        if pair is None:
            raise CorruptKata(_DAMAGED)
        place = pair.end()
        if _is_output(pair[1]):
            output = view[pair.start(2) : pair.end(2)]
        else:
            for part in (separator, pair[1], b":", view[pair.start(2) : pair.end(2)]):
                written.write(part)
            separator = b","
    raise CorruptKata(f"manifest.json has more than {FILES_LIMIT} files")


def _is_output(name: bytes) -> bool:
    # A name that isn't UTF-8 isn't output's: its escapes are ASCII.
    return name == b'"output"' or (b"\\" in name and len(name) < 64 and name.isascii() and json.loads(name) == "output")


def _end(pattern: re.Pattern[bytes], manifest: bytes, place: int) -> int:
    match = pattern.match(manifest, place)
    if match is None:
        raise CorruptKata(_DAMAGED)
    return match.end()
