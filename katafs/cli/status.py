"""`katafs status`."""

import datetime
import json
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from katafs.cli import exit_codes
from katafs.cli.given_path import GivenPath
from katafs.cli.plain_text import in_a_line
from katafs.doctor import mount_answers, mount_facts, mount_points
from katafs.doctor.asking import ANSWER_S, Unanswered, within
from katafs.errors import KatafsError, MountPointUnusable
from katafs.observe.pairs import pairs

_PROCESSORS = {
    True: "kept awake, since many requests come",
    False: "kept awake when many requests come",
    None: "sleep as they like",
}

_EXAMPLES = """\b
Examples:
  katafs status /katas
  katafs status /katas --json"""


@click.command(epilog=f"{_EXAMPLES}\n\n{exit_codes.TABLE}")
@click.argument("path", metavar="MOUNTPOINT", type=GivenPath(file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print it as MOUNTPOINT/.katafs/status.json has it.")
def status(path: str, as_json: bool) -> None:
    """Say how the mount on MOUNTPOINT is: its store, katas, volumes, open files, operations and errors.

    It needs the user that mounted it, mostly root: for others the exit code is 1. It is 3 where its store can't be
    reached, and 4 where nothing answers."""
    content = _asked(mount_answers.resolved(path))
    found = json.loads(content)
    if as_json:
        click.echo(content, nl=False)
    else:
        _print(list(_rows(found)))
    if not found["store"]["reachable"]:
        raise click.exceptions.Exit(exit_codes.ExitCode.STORE_UNREACHABLE)


def _asked(path: str) -> bytes:
    try:
        state = mount_answers.state(path)
        if state is mount_facts.State.SERVED:
            return within(ANSWER_S, mount_facts.status, path)
    except Unanswered:
        state = mount_facts.State.HANGS
    except OSError as refused:
        if isinstance(refused, PermissionError) and mount_facts.is_mounted(path):
            raise KatafsError(f"{path}: only root, or who mounted it, may ask it") from None
        raise MountPointUnusable(f"{path}: {refused.strerror}") from refused
    raise MountPointUnusable(mount_points.mount(path, state).in_a_line())


def _rows(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    store, volumes = found["store"], found["volumes"]
    since = datetime.timedelta(seconds=int(found["uptime_s"]))
    yield "mounted", f"{found['mount_point']}, katafs {found['version']}, process {found['pid']}, for {since}"
    yield "store", f"{store['url']}, {'reachable' if store['reachable'] else 'UNREACHABLE: ' + store['fault']}"
    if store["last_error"]:
        yield "last error", f"{store['last_error']['time']} {store['last_error']['text']}"
    yield "katas", str(found["katas"])
    yield "volumes", f"{volumes['total']}: {volumes['live']} live, {volumes['idle']} idle"
    yield "open", f"{found['open_files']} files, {found['open_directories']} directories"
    yield "nodes", str(found["nodes"])
    yield "descriptors", f"{found['kept_descriptors']} of {found['most_kept_descriptors']} kept"
    if "kept_descriptor_hits" in found:  # a daemon that began before an upgrade says less
        yield "looked for", f"{found['kept_descriptor_hits']} hits, {found['kept_descriptor_misses']} misses"
    if "processors_awake" in found:  # likewise
        yield "processors", _PROCESSORS[found["processors_awake"]]
    yield "options", pairs({name: value for name, value in found["options"].items() if value is not None})
    yield "operations", pairs(found["operations"])
    for operation, errors in found["errors"].items():
        yield f"{operation} failed", pairs(errors)


def _print(rows: list[tuple[str, str]]) -> None:
    console = Console()
    if not console.is_terminal:
        for name, text in rows:
            click.echo(f"{name}\t{in_a_line(text)}")
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")  # a path is a word that may be longer than a line
    for name, text in rows:
        table.add_row(Text(name, "bold"), Text(in_a_line(text), "red" if "UNREACHABLE" in text else ""))
    console.print(table)
