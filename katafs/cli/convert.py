"""`katafs convert`."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click

from katafs.cli import exit_codes, katas
from katafs.cli.descriptors import raised_limit
from katafs.cli.progress import Progress, shown
from katafs.cli.stores import open_store, store_options
from katafs.converter import pieces
from katafs.converter.conversion import Conversion
from katafs.converter.dry_runs import foreseen
from katafs.converter.guards import refuse_source
from katafs.converter.results import GOOD
from katafs.converter.runs import Run, Work, converted
from katafs.errors import KatafsError, StoreUnreachable
from katafs.kata_id import KataId, is_outer
from katafs.volumes.legacy_disk import LegacyDisk, Piece
from katafs.volumes.store import VolumeStore

_EXAMPLES = """\b
Examples:
  katafs convert --sample 5 --from /srv/old-katas --dry-run
  katafs convert 123456789A --from /srv/old-katas
  katafs convert --all --from /srv/old-katas --rate 10 --report /var/log/katafs-convert.jsonl"""


@click.command(epilog=f"{_EXAMPLES}\n\n{exit_codes.TABLE}")
@click.argument("ids", metavar="[ID]...", nargs=-1, type=katas.kata)
@click.option("--outer", metavar="XX", help="Every kata whose id begins with these two characters.")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="N katas, chosen by chance.")
@click.option("--all", "everything", is_flag=True, help="Every kata, and what else lies at the top.")
@click.option("--from", "source", required=True, metavar="DIR", type=click.Path(path_type=Path),
              help="The old disk, with a kata as DIR/12/3456789A.")  # fmt: skip
@store_options
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would happen, and what looks odd.")
@click.option("--keep", is_flag=True, help="Copy, compare, and leave the kata on the disk, which stays the truth.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Add a line of JSON for each kata: id, outcome, entries, bytes, seconds, reason.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 64), default=2, show_default=True, help="Katas at a time.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="R", help="At most R katas a second.")
def convert(
    ids: tuple[KataId, ...],
    outer: str | None,
    sample: int | None,
    everything: bool,
    source: Path,
    volumes: str | None,
    prefix: str,
    dry_run: bool,
    keep: bool,
    report: Path | None,
    jobs: int,
    rate: float | None,
) -> None:
    """Move katas from the old disk DIR into volumes: each whole, compared, and at any moment in exactly one place.

    It may be stopped, killed, run again and run beside itself and beside `katafs mount --legacy DIR`. What can't be
    converted stays on the disk as it was, and is said."""
    if (bool(ids) + (outer is not None) + (sample is not None) + everything) != 1:
        raise click.UsageError("name katas by ID, or else give one of --outer, --sample and --all")
    if outer is not None and not is_outer(outer):
        raise click.UsageError(f"--outer {outer}: is not two characters of 0-9 A-F")
    if os.geteuid() != 0:
        raise KatafsError("convert must be run as root: it keeps the owners of all files")
    raised_limit()  # a commit has every file of a kata open
    with (
        contextlib.closing(open_store(volumes, prefix)) as store,
        contextlib.closing(LegacyDisk(source)) as disk,
        _opened(report) as lines,
    ):
        refuse_source(disk, store)
        conversion = Conversion(disk, store, keep=keep)
        wanted = _wanted(disk, store, ids, outer, sample)
        run = Run(jobs=jobs, rate_per_s=rate)
        with _stopped_by_signals(run):
            good = _carry_out(run, wanted, _work(conversion, disk, dry_run), lines)
        if good and not (dry_run or keep or run.stopped):
            conversion.tidy([outer] if outer else disk.outers() if everything else [])
    if isinstance(run.fault, StoreUnreachable):
        raise run.fault
    if not good:
        raise click.exceptions.Exit(exit_codes.ExitCode.FAILED)


def _wanted(
    disk: LegacyDisk, store: VolumeStore, ids: tuple[KataId, ...], outer: str | None, sample: int | None
) -> list[Piece]:
    if ids:
        return list(pieces.of_ids(ids))
    if sample is not None:
        return list(pieces.sample(disk, sample))
    return list(pieces.in_outer(disk, store, outer) if outer else pieces.everything(disk, store))


def _work(conversion: Conversion, disk: LegacyDisk, dry_run: bool) -> Work:
    if dry_run:
        return lambda piece: foreseen(conversion, disk, piece)
    return lambda piece: converted(conversion, piece)


def _carry_out(run: Run, wanted: list[Piece], work: Work, lines: TextIO | None) -> bool:
    """Whether every piece came to a good end."""
    good = True
    with Progress(len(wanted)) as progress:
        for result in run.results(wanted, work):
            good = good and result.outcome in GOOD
            if lines is not None:
                lines.write(result.line() + "\n")
                lines.flush()
            progress.add(result)
            if result.outcome not in GOOD or result.reason:
                progress.say(shown(result))
        if run.stopped:
            progress.say("stopped by a signal: the rest is left for the next run")
    return good


@contextlib.contextmanager
def _opened(report: Path | None) -> Iterator[TextIO | None]:
    if report is None:
        yield None
        return
    try:
        lines = report.open("a", encoding="utf-8")
    except OSError as problem:
        raise KatafsError(f"--report {report}: {problem.strerror}") from problem
    with lines:
        yield lines


@contextlib.contextmanager
def _stopped_by_signals(run: Run) -> Iterator[None]:
    """SIGTERM and SIGINT stop the run between two katas."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: run.stop()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
