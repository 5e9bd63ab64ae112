"""`katafs where`."""

import json
import os

import click

from katafs.cli import exit_codes
from katafs.errors import KatafsError

_PLACE_XATTR = "user.katafs.place"
_IN_CONTAINER = "/kata"

_EXAMPLES = """\b
Examples:
  katafs where /katas/123456789A/lion/sandbox"""


@click.command(epilog=f"{_EXAMPLES}\n\n{exit_codes.TABLE}")
@click.argument("path")
def where(path: str) -> None:
    """Say which volume holds PATH, which is below a mount, where in it, and how a container gets the same place."""
    place = _place_of(path)
    folder = place["path"] if os.path.isdir(path) else os.path.dirname(place["path"])
    inside = os.path.join(_IN_CONTAINER, folder).rstrip("/")
    click.echo(f"volume  {place['volume']}")
    click.echo(f"path    /{place['path']}")
    click.echo(f"docker  docker run --rm -it --mount {place['location']},target={_IN_CONTAINER} -w {inside} IMAGE")


def _place_of(path: str) -> dict[str, str]:
    try:
        answer = os.getxattr(path, _PLACE_XATTR)
    except FileNotFoundError as missing:
        raise KatafsError(f"{path}: no such file or directory") from missing
    except OSError as error:
        raise KatafsError(f"{path}: is not kept in a volume that katafs has mounted ({error.strerror})") from error
    place: dict[str, str] = json.loads(answer)
    return place
