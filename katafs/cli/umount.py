"""`katafs umount`."""

import click

from katafs.cli import exit_codes
from katafs.cli.given_path import GivenPath
from katafs.doctor import mount_answers
from katafs.doctor.mount_facts import State
from katafs.mount.mount_point import unmount

_EXAMPLES = """\b
Examples:
  katafs umount /katas
  katafs umount --lazy /katas"""


@click.command(epilog=f"{_EXAMPLES}\n\n{exit_codes.TABLE}")
@click.argument("mount_point", metavar="MOUNTPOINT", type=GivenPath(file_okay=False))
@click.option(
    "--lazy", is_flag=True, help="Also a busy one: it is gone from its path at once, and ends with its last use."
)
def umount(mount_point: str, lazy: bool) -> None:
    """Unmount MOUNTPOINT, also after its daemon has died; says who keeps a busy one, and with what.

    Where its daemon hangs, --lazy takes it away."""
    path = mount_answers.resolved(mount_point)
    unmount(path, lazy=lazy or mount_answers.answered(path) is State.DEAD)
