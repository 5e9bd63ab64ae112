"""`mount -t fuse.katafs` and fstab lines: the program that mount(8) runs as /sbin/mount.fuse.katafs.

It only says the same in the words of `katafs mount`.
"""

import contextlib
import os
import sys
from typing import NoReturn

import click

from katafs.cli import exit_codes, faults
from katafs.cli.mount import mount
from katafs.cli.options import parse, without_value
from katafs.cli.process import fill_standard_streams
from katafs.settings.kinds import DOCKER
from katafs.settings.settings import KNOWN

NAME = "mount.fuse.katafs"

_SETTINGS = ("layout", "sandboxes", "tags", "prefix", "legacy", "convert")
_LONG_OPTIONS = {"config": "FILE", **{name: KNOWN[name].kind.metavar for name in _SETTINGS}}
"""Options of `katafs mount` that stand in `-o` here, as an fstab line has no other place for them; and what
stands for their values in a text."""

_EXAMPLES = """\b
Examples:
  mount -t fuse.katafs docker /katas -o layout=split
  mount -t fuse.katafs dir:/srv/katas /katas -o ro,prefix=old-"""


class _OfMount8(click.Command):
    """Shows its usage in the order in which mount(8) and people write it."""

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """As click asks for it."""
        options, *arguments = super().collect_usage_pieces(ctx)
        return [*arguments, options]


@click.command(
    name=NAME,
    cls=_OfMount8,
    context_settings={"help_option_names": ["-h", "--help"]},
    options_metavar="[-o OPTIONS]",
    epilog=_EXAMPLES,
)
@click.argument("volumes", metavar="docker|dir:PATH")
@click.argument("mount_point", metavar="MOUNTPOINT")
@click.option("-o", "texts", multiple=True, metavar="OPTS", help="What katafs mount has as -o and as long options.")
@click.option("-f", "fake", is_flag=True, help="Don't mount.")
@click.option("-n", "_no_mtab", is_flag=True, expose_value=False, help="Ignored: katafs writes no mtab.")
@click.option("-v", "_verbose", is_flag=True, expose_value=False, help="Ignored: it says what it does anyway.")
@click.option("-s", "_sloppy", is_flag=True, expose_value=False, help="Ignored: what isn't known is refused.")
@click.option("-t", "_type", expose_value=False, metavar="TYPE", help="Ignored: it is fuse.katafs.")
def helper(volumes: str, mount_point: str, texts: tuple[str, ...], fake: bool) -> None:
    """Mount as katafs mount --daemon does, when mount(8) or an fstab line asks for the type fuse.katafs."""
    words = arguments(_as_written(volumes), mount_point, texts)
    if fake:
        return
    try:
        mount.main(words, prog_name=NAME, standalone_mode=False)
    except click.UsageError as wrong:
        wrong.ctx = click.get_current_context()  # whose usage is shown; that of katafs mount is another
        raise


def _as_written(volumes: str) -> str:
    """mount(8) makes an absolute path of whatever exists, as "docker" does in a directory that has one: /etc, say."""
    with contextlib.suppress(FileNotFoundError):  # there is no working directory any more
        return DOCKER if volumes == os.path.realpath(DOCKER) else volumes
    return volumes


def arguments(volumes: str, mount_point: str, texts: tuple[str, ...]) -> list[str]:
    """What `katafs mount` is to be told; `texts` as in `-o`.

    Raises click.UsageError as `options.parse` does, and for a long option without its value."""
    long_options, rest = [], []
    for option in (option for text in texts for option in text.split(",") if option):
        name, separator, value = option.partition("=")
        if separator and name in _LONG_OPTIONS:
            long_options.append(f"--{name}={value}")
        elif option in _LONG_OPTIONS:
            raise without_value(option, _LONG_OPTIONS[option])
        else:
            parse((option,), _LONG_OPTIONS)
            rest.append(option)
    return ["--daemon", f"--volumes={volumes}", *long_options, *(f"-o{option}" for option in rest), "--", mount_point]


def main() -> NoReturn:
    """The program."""
    caller = os.getpid()
    code = _status()
    # The daemon is a child that comes by here too; its status is for its parent to translate.
    sys.exit(exit_codes.for_mount(code) if os.getpid() == caller else code)


def _status() -> int:
    """The exit code as katafs has it."""
    try:
        with faults.told(NAME):
            fill_standard_streams()
            helper.main(prog_name=NAME, standalone_mode=False)
    except SystemExit as end:
        return int(end.code or 0)
    except click.ClickException as wrong:
        faults.tell_usage(wrong)
        return wrong.exit_code
    return exit_codes.ExitCode.DONE
