"""`katafs convert`."""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from katafs.cli import exit_codes, katas, room
from katafs.cli.given_path import GivenPath
from katafs.cli.process import end_by, raised_limit
from katafs.cli.progress import Progress, shown
from katafs.cli.reports import Report, opened_report
from katafs.cli.setting_options import store_settings
from katafs.cli.stores import open_store
from katafs.converter import pieces
from katafs.converter.conversion import Conversion
from katafs.converter.dry_runs import DryRun
from katafs.converter.guards import refuse_source
from katafs.converter.results import GOOD
from katafs.converter.room import home
from katafs.converter.runs import Run, Work, converted
from katafs.converter.tag_runs import in_volume, with_tags
from katafs.errors import KatafsError, StoreUnreachable
from katafs.kata_id import KataId, is_outer
from katafs.settings.sources import Found
from katafs.volumes.legacy_disk import LegacyDisk, Piece
from katafs.volumes.legacy_locks import MOST_CLAIMS
from katafs.volumes.store import VolumeStore

_EXAMPLES = """\b
Examples:
  katafs convert --sample 5 --from /srv/old-katas --dry-run
  katafs convert 123456789A --from /srv/old-katas
  katafs convert --all --from /srv/old-katas --rate 10 --report /var/log/katafs-convert.jsonl
  katafs convert --all --config /etc/katafs/katas.toml
  katafs convert --all --format tags                        katas in volumes: each tag as a file too"""


@click.command(epilog=f"{_EXAMPLES}\n\n{exit_codes.TABLE}")
@click.argument("ids", metavar="[ID]...", nargs=-1, type=katas.kata)
@click.option("--outer", metavar="XX", help="Every kata whose id begins with these two characters.")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="N katas, chosen by chance.")
@click.option("--all", "everything", is_flag=True, help="Every kata, and what else lies at the top.")
@click.option("--from", "source", metavar="DIR", type=GivenPath(path_type=Path),
              help="The old disk, with a kata as DIR/12/3456789A. Default: the setting legacy.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["as-is", "tags"]), default="as-is", show_default=True,
              help="tags: avatars kept with git get the git-free form too; --from may be left out.")  # fmt: skip
@click.option("--drop-git", is_flag=True, help="With --format tags: remove .git once every tag was read back equal.")
@store_settings
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would happen, what looks odd, the room needed.")
@click.option("--keep", is_flag=True, help="Copy, compare, and leave the kata on the disk, which stays the truth.")
@click.option("--report", type=GivenPath(dir_okay=False, path_type=Path), metavar="FILE",
              help="Add a line of JSON for each kata: id, outcome, entries, bytes, seconds, reason.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, MOST_CLAIMS), default=2, show_default=True, help="Katas at a time.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="R", help="At most R katas a second.")
def convert(
    ids: tuple[KataId, ...],
    outer: str | None,
    sample: int | None,
    everything: bool,
    source: Path | None,
    form: str,
    drop_git: bool,
    settings: Found,
    dry_run: bool,
    keep: bool,
    report: Path | None,
    jobs: int,
    rate: float | None,
) -> None:
    """Move katas from the old disk DIR into volumes: each whole, compared, and at any moment in exactly one place.

    It may be stopped, killed, run again and run beside itself and beside `katafs mount --legacy DIR`. What can't be
    converted stays on the disk as it was, and is said. SIGINT (Ctrl-C) and SIGTERM stop it between two katas, and
    end it then."""
    wanted = _Wanted(ids, outer, sample, everything)
    wanted.check()
    wished = settings.settings
    source = source or wished.legacy
    if drop_git and form != "tags":
        raise click.UsageError("--drop-git: only with --format tags")
    if form == "tags" and (dry_run or keep):
        raise click.UsageError("--format tags: not with --dry-run or --keep")
    if source is None and form != "tags":
        raise click.UsageError("--from DIR: where are the katas? There is no setting legacy either")
    if os.geteuid() != 0:
        raise KatafsError("convert must be run as root: it keeps the owners of all files")
    raised_limit()  # a commit has every file of a kata open
    with contextlib.ExitStack() as opened:
        store = opened.enter_context(contextlib.closing(open_store(wished.volumes, wished.prefix)))
        lines = opened.enter_context(opened_report(report))
        disk = None if source is None else opened.enter_context(_opened_disk(source, dry_run))
        if keep and disk is not None and disk.is_read_only():
            raise KatafsError(f"--keep: {source} is mounted read-only: no later run would know its copies again")
        # What is in a volume already is said without any work, and so without a pause.
        run = Run(jobs=jobs, rate_per_s=rate, paced=disk.stands if disk is not None else lambda _: True)
        conversion = None if disk is None else Conversion(disk, store, keep=keep or dry_run)
        looking = DryRun(conversion, disk, home(store), keep=keep) if dry_run and conversion and disk else None
        work = _work(conversion, disk, store, looking)
        if form == "tags":
            work = with_tags(work, store, drop_git=drop_git)
        with _stopped_by_signals(run) as come:
            good = _carry_out(run, wanted.pieces(disk, store), work, lines)
        if isinstance(run.fault, OSError):
            raise room.no_room(home(store)) from run.fault
        if looking is not None and not (run.stopped or run.fault):
            good = room.told(looking.taken, home(store)) and good
        if conversion is not None and not (dry_run or keep or run.stopped or run.fault):
            _tidy(conversion, wanted.outers(disk))
    if isinstance(run.fault, StoreUnreachable):
        raise run.fault
    if come:
        end_by(come[0])
    if not good:
        raise click.exceptions.Exit(exit_codes.ExitCode.FAILED)


def _opened_disk(source: Path, dry_run: bool) -> contextlib.closing[LegacyDisk]:
    return contextlib.closing(LegacyDisk(source, look_only=dry_run))


def _tidy(conversion: Conversion, outers: list[str]) -> None:
    try:
        conversion.tidy(outers)
    except OSError as problem:
        raise KatafsError(f"what is left on the old disk can't be tidied up: {problem.strerror}") from problem


@dataclass(frozen=True)
class _Wanted:
    """Which katas the command line names."""

    ids: tuple[KataId, ...]
    outer: str | None
    sample: int | None
    everything: bool

    def check(self) -> None:
        """Raises click.UsageError unless they are named in one way."""
        if (bool(self.ids) + (self.outer is not None) + (self.sample is not None) + self.everything) != 1:
            raise click.UsageError("name katas by ID, or else give one of --outer, --sample and --all")
        if self.outer is not None and not is_outer(self.outer):
            raise click.UsageError(f"--outer {self.outer}: is not two characters of 0-9 A-F")

    def pieces(self, disk: LegacyDisk | None, store: VolumeStore) -> list[Piece]:
        """The pieces, in the order in which they are converted."""
        if self.ids:
            return list(pieces.of_ids(self.ids))
        if self.sample is not None:
            return list(pieces.sample(disk, store, self.sample))
        return list(pieces.in_outer(disk, store, self.outer) if self.outer else pieces.everything(disk, store))

    def outers(self, disk: LegacyDisk | None) -> list[str]:
        """The outer directories of which nothing is left on the disk if all went well."""
        if self.outer is not None:
            return [self.outer]
        return disk.outers() if self.everything and disk is not None else []


def _work(conversion: Conversion | None, disk: LegacyDisk | None, store: VolumeStore, looking: DryRun | None) -> Work:
    if conversion is None or disk is None:
        return lambda piece: in_volume(store, piece)
    refuse_source(disk, store)
    if looking is not None:
        return looking.foreseen
    return lambda piece: converted(conversion, piece)


def _carry_out(run: Run, wanted: list[Piece], work: Work, report: Report | None) -> bool:
    """Whether every piece came to a good end."""
    good = True
    with Progress(len(wanted)) as progress:
        for result in run.results(wanted, work):
            good = good and result.outcome in GOOD
            progress.add(result)
            if result.outcome not in GOOD or result.reason:
                progress.say(shown(result))
            if report is not None:
                report.add(result)
                if report.fault is not None and run.fault is None:
                    run.fault, good = report.fault, False
                    progress.say(str(report.fault))
                    run.stop()
        if run.stopped:
            progress.say("stopped by a signal: the rest is left for the next run")
    return good


@contextlib.contextmanager
def _stopped_by_signals(run: Run) -> Iterator[list[int]]:
    """SIGTERM and SIGINT stop the run between two katas. Gives those that have come."""
    come: list[int] = []

    def stop(number: int, _: object) -> None:
        come.append(number)
        run.stop()

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield come
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
