"""`katafs config`."""

import json

import click

from katafs.cli import exit_codes
from katafs.cli.setting_options import mount_settings
from katafs.settings.sources import Found

_EXAMPLES = """\b
Examples:
  katafs config show
  katafs config show --config /etc/katafs/katas.toml --layout split
  katafs config show >/etc/katafs/katas.toml"""


@click.group(epilog=f"{_EXAMPLES}\n\n{exit_codes.TABLE}")
def config() -> None:
    """Look at the settings of a mount."""


@config.command(epilog=f"{_EXAMPLES}\n\n{exit_codes.TABLE}")
@mount_settings
def show(settings: Found) -> None:
    """Print each setting with its value and where it comes from: a default, a file, an environment variable, a flag.

    It takes the options of katafs mount, and what it prints is a configuration file."""
    for name, value in settings.settings.plain().items():
        origin = settings.origins[name]
        click.echo(f"# {name} is not set" if value is None else f"{name} = {_toml(value)}  # {origin}")


def _toml(value: str | float | bool) -> str:
    if not isinstance(value, str):
        return json.dumps(value)  # TOML and JSON have the same words for these
    return f'"{"".join(map(_escaped, value))}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    number = ord(character)
    # A byte that isn't UTF-8 is a surrogate here, which TOML can't have.
    return f"\\U{number:08X}" if not 0xD800 <= number < 0xE000 else "\N{REPLACEMENT CHARACTER}"
