"""Where settings come from: a TOML file, then the environment, then flags, of which the later ones win."""

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from katafs.errors import BadSetting
from katafs.settings.kinds import Unfit
from katafs.settings.settings import KNOWN, Settings

DEFAULT = "default"
"""Where a value comes from that nobody gave."""


class Given(NamedTuple):
    """A value that somebody gave."""

    value: Any
    origin: str
    """By what: `file /etc/katafs/katas.toml:3`, `environment variable KATAFS_LAYOUT`, `flag --layout`."""


@dataclass(frozen=True)
class Found:
    """The settings, and for each where it comes from."""

    settings: Settings
    origins: Mapping[str, str]


def found(file: Path | None, environment: Mapping[str, str], flags: Mapping[str, Given]) -> Found:
    """The settings that all sources together make. Raises BadSetting."""
    given = {**({} if file is None else of_file(file)), **of_environment(environment), **flags}
    settings = dataclasses.replace(Settings(), **{name: each.value for name, each in given.items()})
    return Found(settings, {name: given[name].origin if name in given else DEFAULT for name in KNOWN})


def of_environment(environment: Mapping[str, str]) -> dict[str, Given]:
    """What variables say; an empty one says nothing. Raises BadSetting."""
    given = {}
    for known in KNOWN.values():
        text = environment.get(known.variable)
        if text:
            value = _read(known.kind.of_text, text, f"environment variable {known.variable}={text}")
            given[known.name] = Given(value, f"environment variable {known.variable}")
    return given


def of_file(path: Path) -> dict[str, Given]:
    """What a TOML file says. Raises BadSetting, which names the file and, where there is one, the line."""
    text = _text_of(path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise BadSetting(_syntax(path, text, str(wrong))) from None
    given = {}
    for name, value in content.items():
        place = f"{path}:{_line_of(name, text)}"
        if name not in KNOWN:
            raise BadSetting(f"{place}: unknown setting {name!r}{hint(name, KNOWN)}")
        given[name] = Given(_read(KNOWN[name].kind.of_toml, value, f"{place}: {name}"), f"file {place}")
    return given


def _text_of(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise BadSetting(f"{path}: {problem.strerror}") from None
    try:
        return content.decode()
    except UnicodeDecodeError as wrong:
        line = content[: wrong.start].count(b"\n") + 1
        raise BadSetting(f"{path}:{line}: is not UTF-8") from None


def _read(read: Callable[[Any], Any], value: object, where: str) -> Any:  # noqa: ANN401  as the kinds have it
    try:
        return read(value)
    except Unfit as unfit:
        raise BadSetting(f"{where}: {unfit}") from None


def _syntax(path: Path, text: str, complaint: str) -> str:
    """tomllib says where in words: `… (at line 3, column 8)`, `… (at end of document)`."""
    reason, _, place = complaint.partition(" (at ")
    line = re.match(r"line (\d+)", place)
    return f"{path}:{line[1] if line else text.count(chr(10)) + 1}: {reason}"


def _line_of(name: str, text: str) -> int:
    """The line on which a top-level key or table stands first, which tomllib doesn't tell."""
    key = re.compile(rf"\s*\[*\s*[\"']?{re.escape(name)}[\"']?\s*[=.\]]")
    lines = (number for number, line in enumerate(text.splitlines(), 1) if key.match(line))
    return next(lines, 1)


def hint(name: str, known: Iterable[str]) -> str:
    """Which of the known names may have been meant by one that isn't known, to follow its refusal; "" for none."""
    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""
