"""`katafs export`."""

import sys
from pathlib import Path

import click

from katafs.cli import exit_codes, faults, katas
from katafs.cli.given_path import GivenPath
from katafs.converter.exports import Form, prepare
from katafs.converter.exports import export as export_kata
from katafs.errors import KatafsError, OwnersNotKept, StoreUnreachable
from katafs.kata_id import KataId

_MOST_NAMED = 3
"""Katas, in a line that is about many of them."""
_FORMS = [form.value for form in Form]

_EXAMPLES = """\b
Examples:
  katafs export 123456789A --to /srv/katas
  katafs export 123456789A FEDCBA9876 --to . --format tgz
  katafs export --all --to /backup/katas --volumes dir:/srv/volumes
  katafs export 123456789A --to /tmp --format tags --mount /katas"""


@click.command(epilog=f"{_EXAMPLES}\n\n{exit_codes.TABLE}")
@click.argument("wanted", metavar="[ID]...", nargs=-1, type=katas.kata)
@click.option("--all", "every", is_flag=True, help="Export every kata there is.")
@click.option(
    "--to", metavar="DIR", type=GivenPath(path_type=Path), required=True, help="Where to; made if it is missing."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMS),
    default=Form.HOST_DISK.value,
    show_default=True,
    help="What to make of a kata.",
)
@katas.source_options
def export(
    wanted: tuple[KataId, ...],
    every: bool,
    to: Path,
    form: str,
    mount: str | None,
    volumes: str | None,
    prefix: str,
) -> None:
    """Copy katas out of their volumes, each compared with them before it shows, and print where each one is.

    \b
    host-disk  DIR/12/3456789A, as a server has it on its disk: with git
    tags       the same without git: a test run is <avatar>/tags/<n>.json
    tgz        DIR/123456789A.tgz, the archive that servers give for a download

    Times, owners, modes, links and extended attributes are what they are in the volumes. A sandbox that is a volume of
    its own is put back into its avatar, and an avatar that is kept without git gets a git history of its test runs.
    Nothing is written over; a kata that can't be exported is said on stderr, and makes the exit code 1."""
    if every == bool(wanted):
        raise click.UsageError("give the ids of katas, or --all")
    failed, of_others = False, list[KataId]()
    with katas.opened_store(mount, volumes, prefix) as store:
        _prepare(to)
        for kata in store.catalog().katas() if every else wanted:
            try:
                click.echo(export_kata(store, kata, to, Form(form)))
            except StoreUnreachable:
                raise
            except OwnersNotKept:
                of_others.append(kata)
            except KatafsError as fault:
                failed = True
                faults.complain(str(fault))
    if of_others:
        raise KatafsError(
            "export must be run as root: it keeps the owners of all files, "
            f"and those of {_some(of_others)} aren't all this user's"
        )
    if failed:
        sys.exit(exit_codes.ExitCode.FAILED)


def _prepare(to: Path) -> None:
    try:
        prepare(to)
    except OSError as problem:
        raise KatafsError(f"--to {to}: {problem.strerror}") from problem


def _some(ids: list[KataId]) -> str:
    more = len(ids) - _MOST_NAMED
    return ", ".join(ids[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
