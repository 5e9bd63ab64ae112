"""What a storer lets in: the grammar of what callers hand over, each breach with its own error.

Everything is checked before anything is written. Knows nothing of what is stored.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from katafs.errors import (
    BadAvatar,
    BadContent,
    BadFileName,
    BadId,
    BadManifest,
    BadTestRun,
    KatafsError,
    TagNotFound,
)
from katafs.kata_id import AvatarName, KataId, avatar_name, kata_id
from katafs.storers.storer import Delta
from katafs.storers.times import moment

_LONGEST_NAME_BYTES = 255
_GIT_ALIKE = re.compile(r"(.*\\)?(\.git|git~1)[. ]*([:\\].*)?", re.IGNORECASE | re.DOTALL)
"""What other systems take for `.git` (git-config(1), core.protectNTFS): no tree of git's can have it."""


def checked_id(text: object) -> KataId:
    """The id of a kata. Raises BadId."""
    found = kata_id(text) if isinstance(text, str) else None
    if found is None:
        raise BadId(f"{text!r} is not the id of a kata: 10 characters of 0-9 A-F")
    return found


def checked_avatar(text: str) -> AvatarName:
    """The name of an avatar. Raises BadAvatar."""
    found = avatar_name(text) if isinstance(text, str) else None
    if found is None:
        raise BadAvatar(f"{text!r} is not the name of an avatar")
    return found


def checked_number(number: object) -> int:
    """The number of a tag. Raises TagNotFound: True and 1.0 are equal to 1, and "1" looks like it to git."""
    if type(number) is not int or number < 0:
        raise TagNotFound(f"{number!r} is not the number of a tag")
    return number


def checked_name(text: object) -> bytes:
    """The name of a file in a sandbox, as its volume has it. Raises BadFileName."""
    if not isinstance(text, str):
        raise BadFileName(f"{text!r} is not the name of a file")
    try:
        name = text.encode()
    except UnicodeEncodeError:
        raise BadFileName(f"{text!r} is not the name of a file: it is not UTF-8") from None
    if text in ("", ".", "..") or "/" in text or "\0" in text:
        raise BadFileName(f"{text!r} is not the name of a file in a sandbox")
    if len(name) > _LONGEST_NAME_BYTES:
        raise BadFileName(f"{text[:20]!r}… is not the name of a file: {len(name)} bytes are more than 255")
    if _GIT_ALIKE.fullmatch(text):
        raise BadFileName(f"{text!r} is git's own name, and no file in a sandbox")
    return name


def checked_content(name: str, content: object) -> bytes:
    """A text file's content as its bytes. Raises BadContent."""
    if not isinstance(content, str):
        raise BadContent(f"the content of {name!r} is not text")
    try:
        return content.encode()
    except UnicodeEncodeError:
        raise BadContent(f"the content of {name!r} can't be written as UTF-8") from None


def checked_files(files: object, fault: type[KatafsError] = BadContent) -> dict[str, str]:
    """Visible files. Raises BadFileName, BadContent, and `fault` where it isn't files at all."""
    if not isinstance(files, Mapping):
        raise fault("the visible files are not an object of names and texts")
    for name, content in files.items():
        checked_name(name)
        checked_content(name, content)
    return dict(files)


def checked_manifest(manifest: Mapping[str, Any]) -> tuple[KataId, dict[str, Any]]:
    """A new kata's id and manifest. Raises BadManifest, BadId, BadFileName, BadContent."""
    if not isinstance(manifest, Mapping):
        raise BadManifest("the manifest is not an object")
    for key in ("id", "visible_files"):
        if key not in manifest:
            raise BadManifest(f"the manifest has no {key}")
    checked_files(manifest["visible_files"], BadManifest)
    return checked_id(manifest["id"]), dict(manifest)


def checked_delta(delta: Delta, files: Mapping[str, str | bytes]) -> tuple[list[bytes], dict[bytes, bytes]]:
    """What to remove from a sandbox, and what to write to it. Raises BadFileName, BadContent."""
    for names in (delta.deleted, delta.new, delta.changed):
        if isinstance(names, str):  # a sequence, too: of names of one character
            raise BadFileName(f"{names!r} is one name, where a delta has a list of them")
    if not isinstance(files, Mapping):
        raise BadContent("the files to save are not an object of names and contents")
    written: dict[bytes, bytes] = {}
    for name in (*delta.new, *delta.changed):
        stored = checked_name(name)
        if name not in files:
            raise BadContent(f"{name!r} is to be saved, and its content isn't given")
        content = files[name]
        written[stored] = content if isinstance(content, bytes) else checked_content(name, content)
    return [checked_name(name) for name in delta.deleted], written


def checked_run(now: Sequence[int], output: object, colour: object) -> tuple[list[int], str]:
    """A test run's time and colour. Raises BadTestRun, and BadContent for output that can't be UTF-8."""
    if moment(now) is None:  # the servers' Time.mktime would raise wherever the light is shown
        raise BadTestRun(f"a test run's time is year, month, day, hour, minute and second, and not {now!r}")
    if not isinstance(colour, str) or not colour.isidentifier():
        raise BadTestRun(f"a test run's colour is a word such as red, and not {colour!r}")
    if not isinstance(output, str):
        raise BadTestRun("a test run's output is not text")
    checked_content("output", output)
    return list(now), colour
