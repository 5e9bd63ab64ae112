"""The command `katafs` and what all its subcommands share."""

import signal
from typing import Any

import click

from katafs import __version__
from katafs.cli import exit_codes, faults
from katafs.cli.config import config
from katafs.cli.convert import convert
from katafs.cli.doctor import doctor
from katafs.cli.document import document
from katafs.cli.export import export
from katafs.cli.lights import lights
from katafs.cli.ls import ls
from katafs.cli.mount import mount
from katafs.cli.process import end_by, fill_standard_streams
from katafs.cli.status import status
from katafs.cli.tag import tag
from katafs.cli.umount import umount
from katafs.cli.where import where
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
    """Tells a fault in one line, also one that comes before a command is known, as of `--version >/dev/full`."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 as click declares it
        with faults.told("katafs"):
            fill_standard_streams()
            return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 as click declares it
        try:
            return super().invoke(ctx)
        except click.ClickException as wrong:
            faults.tell_usage(wrong)
            ctx.exit(wrong.exit_code)
        except KeyboardInterrupt:
            end_by(signal.SIGINT)


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
