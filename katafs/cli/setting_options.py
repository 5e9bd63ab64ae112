"""The options that are settings, as every command has them that takes settings, and `--config`."""

import enum
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from katafs.cli import options
from katafs.cli.given_path import GivenPath
from katafs.settings.kinds import Choice, Kind
from katafs.settings.settings import KNOWN, Known
from katafs.settings.sources import Found, Given, found

Command = TypeVar("Command", bound=Callable[..., Any])
Result = TypeVar("Result")

_OF_STORES = ("volumes", "prefix")
_LONG = (*_OF_STORES, "layout", "sandboxes", "tags", "legacy", "convert", "read_only")
"""The settings that have options of their own; those of `-o` are the rest."""


def store_settings(command: Callable[..., Result]) -> Callable[..., Result]:
    """The options for the settings that choose a store, and `--config`. The command gets `settings`, as `Found`."""
    return _config(_long(_OF_STORES, _taking(command, _OF_STORES)))


def mount_settings(command: Callable[..., Result]) -> Callable[..., Result]:
    """The options for every setting. The command gets `settings`, as `Found`."""
    taking = click.option("-o", "mount_options", multiple=True, metavar="OPTS", help=options.HELP)(
        _taking(command, _LONG)
    )
    return _config(_long(_LONG, taking))


def store_options(command: Callable[..., Result]) -> Callable[..., Result]:
    """The same options for a command that needs no more than the store: it gets `volumes` and `prefix` as all sources
    together have them."""

    @functools.wraps(command)
    def with_store(*arguments: object, settings: Found, **named: object) -> Result:
        wished = settings.settings
        return command(*arguments, volumes=wished.volumes, prefix=wished.prefix, **named)

    return store_settings(with_store)


def _taking(command: Callable[..., Result], names: Sequence[str]) -> Callable[..., Result]:
    @functools.wraps(command)
    def with_settings(
        *arguments: object, config: Path | None, mount_options: tuple[str, ...] = (), **named: object
    ) -> Result:
        flags = {name: value for name in names if (value := named.pop(name)) not in (None, False)}
        given = {name: _given(KNOWN[name], value) for name, value in flags.items()}
        given |= options.parse(mount_options, [_flag(KNOWN[name]) for name in names])
        settings = found(config, os.environ, given)
        return command(*arguments, settings=settings, **named)

    return with_settings


_config = click.option(
    "--config",
    metavar="FILE",
    type=GivenPath(path_type=Path),
    help="Read settings from a TOML file; what environment variables and options say wins.",
)


def _long(names: Sequence[str], command: Command) -> Command:
    for name in reversed(names):
        command = _option(KNOWN[name])(command)
    return command


def _option(known: Known) -> Callable[[Command], Command]:
    if isinstance(known.default, bool):
        return click.option(_flag(known), is_flag=True, help=known.purpose)
    kind = known.kind
    if isinstance(kind, Choice):
        said = f" Default: {known.default.value}." if isinstance(known.default, enum.Enum) else ""
        return click.option(_flag(known), type=click.Choice(kind.values), help=known.purpose + said)
    return click.option(_flag(known), type=_by(kind), metavar=kind.metavar, help=known.purpose)


def _by(kind: Kind) -> Callable[[str], object]:
    return lambda text: options.read(kind, text, click.BadParameter, text or "''")


def _given(known: Known, value: object) -> Given:
    # Of a choice click has only looked whether it is one.
    chosen = known.kind.of_text(str(value)) if isinstance(known.kind, Choice) else value
    return Given(chosen, f"flag {_flag(known)}")


def _flag(known: Known) -> str:
    return f"--{known.name.replace('_', '-')}"
