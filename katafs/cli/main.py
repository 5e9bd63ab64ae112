"""The command `katafs` and what all its subcommands share."""

import os
import sys
from typing import Any

import click

from katafs import __version__
from katafs.cli import exit_codes
from katafs.cli.config import config
from katafs.cli.convert import convert
from katafs.cli.doctor import doctor
from katafs.cli.document import document
from katafs.cli.export import export
from katafs.cli.lights import lights
from katafs.cli.ls import ls
from katafs.cli.mount import mount
from katafs.cli.status import status
from katafs.cli.tag import tag
from katafs.cli.umount import umount
from katafs.cli.where import where
from katafs.errors import KatafsError
from katafs.observe import logs

_EXAMPLES = """\b
Examples:
  katafs mount /katas                                     Docker's volumes, one directory a kata
  katafs mount /katas --volumes dir:/srv/katas --layout split
  katafs status /katas                                    how the mount is
  katafs ls                                               every kata and its avatars
  katafs lights 123456789A                                its avatars' traffic-lights
  katafs tag 123456789A lion 3 --output                   what its third test run printed
  katafs where /katas/123456789A/lion                     the volume that holds it
  katafs export 123456789A --to /srv/katas                as a server has it on its disk
  katafs doctor /katas                                    what is wrong with this machine, and the remedy
  katafs umount /katas"""


class _Faults(click.Group):
    """Ends a command with one line and the fault's exit code where a fault comes out of it."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 as click declares it
        try:
            return super().invoke(ctx)
        except KatafsError as fault:
            click.echo(f"katafs: {fault}", err=True)
            ctx.exit(exit_codes.of_fault(fault))
        except BrokenPipeError:
            raise  # click's: who reads has read enough
        except OSError as refused:
            named = f"{os.fsdecode(refused.filename)}: " if isinstance(refused.filename, str | bytes) else ""
            click.echo(f"katafs: {named}{refused.strerror or refused}", err=True)
            _give_up_output()
            ctx.exit(exit_codes.ExitCode.FAILED)


def _give_up_output() -> None:
    """What couldn't be written isn't tried once more at the end, where Python would say so in its own words."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@click.group(
    cls=_Faults,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"{_EXAMPLES}\n\n{exit_codes.TABLE}",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def katafs() -> None:
    """Mount katas, one Docker volume each, as one ordinary tree."""
    logs.shape_warnings()


for command in (mount, umount, status, ls, lights, tag, where, convert, export, config, doctor, document):
    katafs.add_command(command)
