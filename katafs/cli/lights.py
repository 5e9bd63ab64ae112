"""`katafs lights`."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime

import click
from rich.console import Console
from rich.text import Text

from katafs.cli import exit_codes, faults, katas
from katafs.errors import KatafsError, StoreUnreachable
from katafs.kata_id import KataId
from katafs.storers.increments import Light
from katafs.storers.reading import AvatarLights, Reader
from katafs.storers.times import moment

_STYLES = {"red": "red", "amber": "yellow", "green": "green", "timed_out": "magenta"}
_LETTERS = {"red": "R", "amber": "A", "green": "G", "timed_out": "T"}
_UNKNOWN = "unknown"
"""A light whose colour isn't known, or isn't a word."""

_EXAMPLES = """\b
Examples:
  katafs lights                                every avatar of every kata
  katafs lights 123456789A
  katafs lights 123456789A --mount /katas
  katafs lights --volumes dir:/srv/katas --json"""

Row = tuple[KataId, AvatarLights]


@click.command(epilog=f"{_EXAMPLES}\n\n{exit_codes.TABLE}")
@click.argument("kata", metavar="[ID]", required=False, type=katas.kata)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@katas.source_options
def lights(kata: KataId | None, as_json: bool, mount: str | None, volumes: str | None, prefix: str) -> None:
    """Show the traffic-lights of a kata's avatars, or of every kata's: a row each, one light for each test run.

    A row has the kata, the avatar, when its first and its last light came, how many there are of each colour, and the
    lights; in colour on a terminal that has colours, else a letter for each light: (R)ed, (A)mber, (G)reen, (T)imed
    out, ? for anything else. Where it isn't a terminal, tabs are between. What can't be read is said on stderr, and
    makes the exit code 1."""
    problems: list[str] = []

    def complain(problem: str) -> None:
        problems.append(problem)
        faults.complain(problem)

    with katas.opened(mount, volumes, prefix) as reader:
        rows = _rows(reader, kata, complain)
        if as_json:
            _print_json(rows)
        else:
            _print_lines(rows)
    if problems:
        sys.exit(exit_codes.ExitCode.FAILED)


def _rows(reader: Reader, wanted: KataId | None, complain: Callable[[str], None]) -> Iterator[Row]:
    for kata in reader.katas() if wanted is None else [wanted]:
        try:
            avatars = reader.avatars(kata)
        except StoreUnreachable:
            raise
        except KatafsError as fault:
            if wanted is not None:
                raise
            complain(str(fault))
            continue
        for avatar in avatars:
            row = reader.lights(kata, avatar)
            for problem in row.problems:
                complain(problem)
            yield kata, row


def _print_lines(rows: Iterator[Row]) -> None:
    console = Console(highlight=False)
    sign_of = _circle if _shows_coloured_circles(console) else _letter
    for kata, row in rows:
        counts = _counts(row.lights)
        if console.is_terminal:
            console.print(_coloured(kata, row, counts, sign_of), soft_wrap=True)
            continue
        told = " ".join(f"{colour}={count}" for colour, count in counts.items())
        letters = "".join(_letter(_colour(light)) for light in row.lights)
        click.echo("\t".join([kata, row.avatar, *(_when(time) for time in _span(row.lights)), told, letters]))


def _shows_coloured_circles(console: Console) -> bool:
    """Without colours every circle is the same, and one that isn't in the terminal's characters can't be printed."""
    return console.color_system is not None and not console.no_color and console.encoding.startswith("utf")


def _circle(colour: str) -> str:
    return "●" if colour in _STYLES else "○"


def _letter(colour: str) -> str:
    return _LETTERS.get(colour, "?")


def _coloured(kata: KataId, row: AvatarLights, counts: dict[str, int], sign_of: Callable[[str], str]) -> Text:
    first, last = _span(row.lights)
    line = Text(f"{kata} {row.avatar:<11} {_when(first):>19} - {_when(last):<19} ")
    for colour, count in counts.items():
        line.append(f" {count} {colour}", _STYLES.get(colour, "dim"))
    line.append("  ")
    for light in row.lights:
        colour = _colour(light)
        line.append(sign_of(colour), _STYLES.get(colour, "dim"))
    return line


def _print_json(rows: Iterator[Row]) -> None:
    separator = "[\n"
    for kata, row in rows:
        click.echo(separator + json.dumps(_object(kata, row)), nl=False)
        separator = ",\n"
    click.echo("[]" if separator == "[\n" else "\n]")


def _object(kata: KataId, row: AvatarLights) -> dict[str, object]:
    first, last = _span(row.lights)
    return {
        "kata": kata,
        "avatar": row.avatar,
        "first": first and list(first.timetuple()[:6]),
        "last": last and list(last.timetuple()[:6]),
        "counts": _counts(row.lights),
        "lights": [light._asdict() for light in row.lights],
        "problems": row.problems,
    }


def _counts(found: list[Light]) -> dict[str, int]:
    """How many lights there are of each colour: red, amber, green and timed out first, in this order."""
    counted = Counter(_colour(light) for light in found)
    order = [*_STYLES, *sorted(counted.keys() - _STYLES.keys() - {_UNKNOWN}), _UNKNOWN]
    return {colour: counted[colour] for colour in order if counted[colour]}


def _colour(light: Light) -> str:
    """A colour that can be printed: whoever wrote it may have put anything there."""
    word = light.colour or _UNKNOWN
    return word if word.isascii() and word.isidentifier() and len(word) <= 20 else _UNKNOWN


def _span(found: list[Light]) -> tuple[datetime | None, datetime | None]:
    """When the first and the last light came; None where no light says when, as in some old katas."""
    times = [time for light in found if (time := moment(light.time))]
    return min(times, default=None), max(times, default=None)


def _when(time: datetime | None) -> str:
    return "-" if time is None else f"{time:%Y-%m-%d %H:%M:%S}"
