"""`katafs umount`."""

import click

from katafs.cli import exit_codes
from katafs.cli.completion import directories


@click.command(epilog=f"\b\nExample:\n  katafs umount /katas\n\n{exit_codes.TABLE}")
@click.argument("mount_point", metavar="MOUNTPOINT", shell_complete=directories)
def umount(mount_point: str) -> None:
    """Unmount MOUNTPOINT, also after its daemon has died; says who keeps a busy one."""
    from katafs.mount import mount_point as mount_points  # not needed by any other command

    mount_points.unmount(mount_point)
