"""`katafs doctor`."""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from katafs.cli import exit_codes
from katafs.cli.given_path import GivenPath
from katafs.cli.plain_text import in_a_line
from katafs.cli.setting_options import store_options
from katafs.cli.stores import engine_is_here, open_store
from katafs.doctor import (
    machine,
    machine_facts,
    mount_answers,
    mount_facts,
    mount_points,
    unit_facts,
    units,
    volume_facts,
    volumes,
)
from katafs.doctor.asking import ANSWER_S, Unanswered, within
from katafs.doctor.findings import Finding, Severity
from katafs.errors import BadSetting, KatafsError
from katafs.settings.kinds import DIRECTORY_SCHEME, DOCKER
from katafs.settings.settings import DEFAULT_DIRECTORY
from katafs.settings.sources import of_file

if TYPE_CHECKING:
    from katafs.volumes.docker_engine import About

_STORE_S = 30.0
"""Longer than the engine's client waits for it, and enough to open 50,000 volumes."""

_STYLES = {Severity.OK: "green", Severity.NOTE: "yellow", Severity.PROBLEM: "red"}

_EXAMPLES = """\b
Examples:
  katafs doctor
  katafs doctor /katas --volumes docker
  katafs doctor --json"""


@click.command(epilog=f"{_EXAMPLES}\n\n{exit_codes.TABLE}")
@click.argument("paths", metavar="[MOUNTPOINT]...", nargs=-1, type=GivenPath(file_okay=False))
@store_options
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def doctor(paths: tuple[str, ...], volumes: str | None, prefix: str, as_json: bool) -> None:
    """Look for what is wrong, or will be, with this machine, its engine, the volumes and mount points.

    Each finding is ok, a note or a problem, and comes with its remedy; a problem makes the exit code 1. Without
    MOUNTPOINT it looks at every mount of katafs. It changes nothing, and never waits long for what hangs."""
    findings = []
    for finding in _findings(paths, volumes, prefix):
        findings.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        click.echo(json.dumps([_object(finding) for finding in findings], indent=1))
    if any(finding.severity is Severity.PROBLEM for finding in findings):
        raise click.exceptions.Exit(exit_codes.ExitCode.FAILED)


def _findings(paths: tuple[str, ...], wanted: str | None, prefix: str) -> Iterator[Finding]:
    yield machine.fuse(machine_facts.fuse_device())
    yield machine.fusermount(machine_facts.fusermount(), os.geteuid())
    yield machine.kernel(machine_facts.kernel_release())
    yield machine.descriptors(machine_facts.descriptor_limit())
    yield machine.namespace(machine_facts.mount_namespaces())
    updatedb = machine.updatedb(machine_facts.updatedb_conf(), machine_facts.updatedb_service())
    if updatedb is not None:
        yield updatedb
    for path in paths or mount_facts.all_mounted():
        yield from _of_mount_point(path)
    yield from _of_units({mount_answers.resolved(path) for path in paths})
    yield from _of_store(wanted, prefix)


def _of_mount_point(path: str) -> Iterator[Finding]:
    path = mount_answers.resolved(path)
    try:
        state = mount_answers.state(path)
    except OSError as refused:
        yield mount_points.unusable(path, refused.strerror or str(refused))
        return
    yield mount_answers.judged(path, state)
    try:
        yield mount_points.bare(path, within(ANSWER_S, mount_facts.bare, path))
    except Unanswered:
        yield mount_points.hidden(path, "the disk doesn't answer")
    except OSError as refused:
        yield mount_points.hidden(path, refused.strerror or str(refused))


def _of_units(paths: set[str]) -> Iterator[Finding]:
    """What there is to say of the units that mount on these paths; of all, where none are named."""
    try:
        found = within(ANSWER_S, unit_facts.units, _mount_point_of)
    except Unanswered:
        return  # nor do systemd's own programs have an answer, and they say so
    for each in found:
        judged = units.unit(each) if not paths or each.path in paths else None
        if judged is not None:
            yield judged


def _mount_point_of(file: Path) -> str | None:
    try:
        given = of_file(file).get("mountpoint")
    except BadSetting:
        return None  # its daemon says what is wrong there
    return None if given is None else str(given.value)


def _of_store(wanted: str | None, prefix: str) -> Iterator[Finding]:
    if wanted is None:
        wanted = DOCKER if engine_is_here() else f"{DIRECTORY_SCHEME}{DEFAULT_DIRECTORY}"
        if wanted != DOCKER and not DEFAULT_DIRECTORY.exists():
            yield volumes.not_made_yet(str(DEFAULT_DIRECTORY))
            return
    places = [wanted.removeprefix(DIRECTORY_SCHEME)]
    try:
        if wanted == DOCKER:
            about, url = within(_STORE_S, _asked_engine)
            places = [about.data_root]
            yield from volumes.engine(about.version, about.api, about.oldest_api, url)
        yield from of_volumes(wanted, prefix, places)
    except Unanswered:
        yield volumes.unreachable(f"{wanted}: no answer within {_STORE_S:g} s", wanted)
    except KatafsError as fault:
        yield volumes.unreachable(str(fault), wanted)


def of_volumes(wanted: str, prefix: str, places: list[str], seconds: float = _STORE_S) -> Iterator[Finding]:
    """What there is to say of a store's volumes. Raises StoreUnreachable."""
    try:
        yield from volumes.volumes(within(seconds, _asked_store, wanted, prefix, places))
    except Unanswered:
        yield volumes.silent(wanted, seconds)


def _asked_engine() -> tuple["About", str]:
    """In a child: an engine may hang. What it says of itself, and where it is. Raises StoreUnreachable."""
    from katafs.volumes.docker_engine import Engine  # imported where it is chosen, as in katafs.cli.stores

    with contextlib.closing(Engine()) as engine:
        engine.connect()
        return engine.about(), engine.url


def _asked_store(wanted: str, prefix: str, places: list[str]) -> volume_facts.Volumes:
    """In a child: opening a store starts threads, and a disk may hang. Raises StoreUnreachable."""
    with contextlib.closing(open_store(wanted, prefix)) as store:
        return volume_facts.volumes(store, places)


def _print(finding: Finding) -> None:
    severity = click.style(f"{finding.severity.value:8}", fg=_STYLES[finding.severity])
    click.echo(f"{severity} {finding.check:12} {in_a_line(finding.text)}")
    if finding.remedy:
        click.echo(f"{'':8} {'':12} remedy: {in_a_line(finding.remedy)}")


def _object(finding: Finding) -> dict[str, str]:
    return {**dataclasses.asdict(finding), "severity": finding.severity.value}
