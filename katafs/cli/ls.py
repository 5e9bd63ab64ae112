"""`katafs ls`."""

import contextlib
import errno
import os
import stat

import click
from rich.console import Console
from rich.table import Table

from katafs.cli import exit_codes, faults, katas
from katafs.cli.setting_options import store_options
from katafs.cli.stores import open_store
from katafs.errors import KatafsError, VolumeRefused
from katafs.kata_id import AvatarName, KataId, avatar_name, kata_volume
from katafs.rooted import names
from katafs.storers import start_marks
from katafs.volumes.store import VolumeStore

_EXAMPLES = """\b
Examples:
  katafs ls
  katafs ls 123456789A
  katafs ls --volumes dir:/srv/katas"""


@click.command(epilog=f"{_EXAMPLES}\n\n{exit_codes.TABLE}")
@click.argument("kata", metavar="[ID]", required=False, type=katas.kata)
@store_options
def ls(kata: KataId | None, volumes: str | None, prefix: str) -> None:
    """List the katas of a store, or the avatars of one, with the volumes that hold them."""
    with contextlib.closing(open_store(volumes, prefix)) as store:
        if kata is None:
            _print_katas(store)
        elif store.catalog().has_kata(kata):
            _print(_avatars(store, kata))
        else:
            raise KatafsError(f"kata {kata} is not in {store.url}")


def _print_katas(store: VolumeStore) -> None:
    """Each at once, since a table of very many takes minutes. What can't be read is a line on stderr, and a bad end."""
    good = True
    if Console().is_terminal:
        click.echo("kata\t\tavatars")
    for kata in store.catalog().katas():
        try:
            avatars = [avatar for avatar, _ in _avatars_of(store, kata)]
        except OSError as problem:
            faults.complain(f"kata {kata}: {problem.strerror}")
            good = False
        except VolumeRefused as problem:
            faults.complain(str(problem))
            good = False
        else:
            click.echo(f"{kata}\t{' '.join(avatars)}")
    if not good:
        raise click.exceptions.Exit(exit_codes.ExitCode.FAILED)


def _avatars(store: VolumeStore, kata: KataId) -> Table:
    table = Table("avatar", "volume", box=None, pad_edge=False)
    for avatar, volume in _avatars_of(store, kata):
        table.add_row(avatar, volume)
    return table


def _avatars_of(store: VolumeStore, kata: KataId) -> list[tuple[AvatarName, str]]:
    """The avatars that have a directory in the kata's volume, or a volume of their own, with the volume.

    One whose start isn't done, or was broken off, isn't among them, as for storers."""
    found = {avatar: f"{kata}_{avatar}" for avatar in store.catalog().avatars_of(kata)}
    for avatar, is_begun in _directories_in(store, kata).items():
        if is_begun:
            found.pop(avatar, None)
        else:
            found.setdefault(avatar, kata)
    return sorted(found.items())


def _directories_in(store: VolumeStore, kata: KataId) -> dict[AvatarName, bool]:
    """The avatars that have a directory in the kata's volume, with whether that is only begun."""
    if not store.exists(kata_volume(kata)):
        return {}
    top = store.open(kata_volume(kata))
    try:
        avatars = [avatar for name in names.listing(top) if (avatar := avatar_name(os.fsdecode(name)))]
        return {avatar: start_marks.is_begun(top, avatar.encode()) for avatar in avatars if _is_directory(top, avatar)}
    finally:
        os.close(top)


def _is_directory(top: int, avatar: AvatarName) -> bool:
    try:
        descriptor, status = names.look(top, avatar.encode())
    except OSError as answer:
        if answer.errno in (errno.ENOENT, errno.EXDEV):
            return False  # it went away since it was listed, or something is mounted on it
        raise
    os.close(descriptor)
    return stat.S_ISDIR(status.st_mode)


def _print(table: Table) -> None:
    console = Console()
    if console.is_terminal:
        for column in table.columns:
            column.overflow = "fold"  # a name that is cut is none
        console.print(table)
        return
    for row in zip(*(column.cells for column in table.columns), strict=True):
        click.echo("\t".join(map(str, row)))
