"""The options that are settings, as every command has them that takes settings, and `--config`."""

import enum
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from katafs.cli import options
from katafs.settings.kinds import Choice, Kind, Unfit
from katafs.settings.settings import KNOWN, Known
from katafs.settings.sources import Given, found

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


def store_options(command: Command) -> Command:
    """The options that choose a store, as they are: the command gets `volumes` and `prefix`."""
    for name in reversed(_OF_STORES):
        command = _option(KNOWN[name], default=KNOWN[name].default)(command)
    return command


def _taking(command: Callable[..., Result], names: Sequence[str]) -> Callable[..., Result]:
    @functools.wraps(command)
    def with_settings(
        *arguments: object, config: Path | None, mount_options: tuple[str, ...] = (), **named: object
    ) -> Result:
        flags = {name: value for name in names if (value := named.pop(name)) not in (None, False)}
        given = {name: _given(KNOWN[name], value) for name, value in flags.items()}
        settings = found(config, os.environ, {**given, **options.parse(mount_options)})
        return command(*arguments, settings=settings, **named)

    return with_settings


_config = click.option(
    "--config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Read settings from a TOML file; what environment variables and options say wins.",
)


def _long(names: Sequence[str], command: Command) -> Command:
    for name in reversed(names):
        command = _option(KNOWN[name])(command)
    return command


def _option(known: Known, default: object = None) -> Callable[[Command], Command]:
    if isinstance(known.default, bool):
        return click.option(_flag(known), is_flag=True, help=known.purpose)
    kind = known.kind
    if isinstance(kind, Choice):
        said = f" Default: {known.default.value}." if isinstance(known.default, enum.Enum) else ""
        return click.option(_flag(known), type=click.Choice(kind.values), help=known.purpose + said)
    return click.option(_flag(known), type=_by(kind), default=default, metavar=kind.metavar, help=known.purpose)


def _by(kind: Kind) -> Callable[[str], object]:
    def read(text: str) -> object:
        try:
            value: object = kind.of_text(text)
        except Unfit as unfit:
            raise click.BadParameter(f"{text} {unfit}") from None
        return value

    return read


def _given(known: Known, value: object) -> Given:
    # Of a choice click has only looked whether it is one.
    chosen = known.kind.of_text(str(value)) if isinstance(known.kind, Choice) else value
    return Given(chosen, f"flag {_flag(known)}")


def _flag(known: Known) -> str:
    return f"--{known.name.replace('_', '-')}"
