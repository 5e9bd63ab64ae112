"""`katafs where`."""

import errno
import json
import os
import shlex

import click

from katafs.cli import exit_codes
from katafs.cli.given_path import GivenPath
from katafs.errors import KatafsError

_PLACE_XATTR = "user.katafs.place"
_NO_XATTR = (errno.ENODATA, errno.ENOTSUP)
"""The answers of whoever keeps no such xattr. Any other says nothing of whose the path is."""
_IN_CONTAINER = "/kata"

_EXAMPLES = """\b
Examples:
  katafs where /katas/123456789A/lion/sandbox"""


@click.command(epilog=f"{_EXAMPLES}\n\n{exit_codes.TABLE}")
@click.argument("path", type=GivenPath())
def where(path: str) -> None:
    """Say which volume holds PATH, which is below a mount, where in it, and how a container gets the same place."""
    place = _place_of(path)
    folder = place["path"] if os.path.isdir(path) else os.path.dirname(place["path"])
    inside = os.path.join(_IN_CONTAINER, folder).rstrip("/")
    mount = f"{place['location']},target={_IN_CONTAINER}"
    click.echo(f"volume  {place['volume']}")
    click.echo(f"path    {_shown('/' + place['path'])}")
    # To be pasted into a shell, and names inside a volume are whatever a container chose.
    click.echo(f"docker  docker run --rm -it --mount {_quoted(mount)} -w {_quoted(inside)} IMAGE")


def _shown(path: str) -> str:
    """As it is where a terminal shows it as it is, else as a shell's word of printable characters."""
    return path if path.isprintable() else _quoted(path)


def _quoted(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    escaped = (chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\{byte:03o}" for byte in os.fsencode(word))
    return f"$'{''.join(escaped)}'"


def _place_of(path: str) -> dict[str, str]:
    try:
        answer = os.getxattr(path, _PLACE_XATTR)
    except FileNotFoundError as missing:
        raise KatafsError(f"{path}: no such file or directory") from missing
    except OSError as error:
        if error.errno in _NO_XATTR:
            raise KatafsError(f"{path}: is not kept in a volume that katafs has mounted ({error.strerror})") from error
        raise KatafsError(f"{path}: {error.strerror}") from error
    place: dict[str, str] = json.loads(answer)
    return place
