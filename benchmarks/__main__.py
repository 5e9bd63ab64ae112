"""The command `scripts/bench`: what to run, where, and the table on stdout."""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from benchmarks import conversion, growth, requests, table
from benchmarks.candidates import KATAFS, PYTHON, candidates, file_system_of, is_mounted_below
from benchmarks.files import Workload
from benchmarks.runs import measure
from benchmarks.workloads import workloads
from tests.harness.ext4_disks import ext4_disk

_EPILOG = """The first table and --requests work on an ext4 of their own, in a file below DIR: on one where files were
deleted in the last minutes creates are slower for every candidate. KATAFS_PYTHON in the environment is what katafs's
daemons run on, another Python that has katafs installed."""
_DISK_MB = 32 << 10
"""In a file that takes no more room than what is written."""


def main() -> None:
    """Exit status 0, or 1 with the reason on stderr, or 2 for wrong usage."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.other_table and arguments.only:
        parser.error("--only chooses among the workloads of the other tables")
    # As an interrupt does, so that nothing stays mounted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _refuse_unsuitable(arguments)
        if arguments.pin:
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        if arguments.other_table:
            print(arguments.other_table(arguments))
            return
        chosen = [each for each in workloads(arguments.scale) if not arguments.only or each.name in arguments.only]
        with _scratch(arguments.base) as scratch, ext4_disk(scratch / "disk", _DISK_MB) as disk:
            if arguments.requests:
                print(_requests(chosen, disk, arguments))
            else:
                seconds = measure(chosen, disk, arguments.rounds, arguments.warm_up, _say)
                setting = _setting(arguments, _file_system_versions())
                if arguments.json:
                    arguments.json.write_text(json.dumps({"setting": asdict(setting), "seconds": seconds}, indent=1))
                print(table.times(setting, seconds))
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
    except (RuntimeError, requests.TracingUnavailable, OSError, subprocess.SubprocessError) as failure:
        sys.exit(f"bench: {failure}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Compares katafs with bindfs and ext4: prints one table.", epilog=_EPILOG
    )
    parser.add_argument("--rounds", type=_positive, default=5, metavar="N", help="runs of each candidate (default 5)")
    parser.add_argument(
        "--warm-up",
        type=_positive,
        default=0,
        metavar="N",
        help="let daemons stay from round to round, and don't count so many rounds before",
    )
    names = [each.name for each in workloads(1)]
    parser.add_argument("--only", action="append", choices=names, help="only this workload; may be repeated")
    parser.add_argument(
        "--base", type=Path, default=Path("/var/tmp"), metavar="DIR", help="where to work, on ext4 (default /var/tmp)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's seconds there as well")
    parser.add_argument("--pin", action="store_true", help="client and daemon on one CPU: what a request itself costs")
    other_tables = parser.add_mutually_exclusive_group()
    other_tables.add_argument(
        "--requests",
        action="store_true",
        help="count katafs's FUSE requests by kind instead, and the daemon's time",
    )
    for option, other_table, what in (
        ("--storers", _storers, "time what the storers do instead, with a private Docker Engine"),
        ("--conversion", _conversion, "time `katafs convert` instead, beside cp, diff and rm"),
        (
            "--isolation",
            _isolation,
            "time reads in one kata instead, while others sync, hang, are made or watch",
        ),
        ("--growth", _growth, "see what 100 to 100,000 katas and 1,000,000 files cost instead, with a private engine"),
    ):
        other_tables.add_argument(option, dest="other_table", action="store_const", const=other_table, help=what)
    parser.add_argument(
        "--scale", type=float, default=1.0, metavar="FRACTION", help="smaller workloads, for a quick look (default 1)"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _refuse_unsuitable(arguments: argparse.Namespace) -> None:
    base: Path = arguments.base
    if os.geteuid() != 0:
        raise RuntimeError("needs root, to make the kernel forget what it has cached and to run a Docker Engine")
    if not base.is_dir():
        raise RuntimeError(f"{base}: is not a directory")
    if arguments.other_table is _storers:
        return
    found = file_system_of(base)
    if found != "ext4":
        raise RuntimeError(f"{base}: is on {found or 'an unknown file system'}, and must be on ext4 (--base DIR)")


@contextmanager
def _scratch(base: Path) -> Iterator[Path]:
    scratch = Path(tempfile.mkdtemp(prefix="katafs-bench-", dir=base.resolve()))
    try:
        yield scratch
    finally:
        _say("cleaning up")
        if is_mounted_below(scratch):
            raise RuntimeError(f"left {scratch} as it is: something is still mounted there")
        shutil.rmtree(scratch)


def _requests(chosen: list[Workload], scratch: Path, arguments: argparse.Namespace) -> str:
    profiles = {}
    for workload in chosen:
        _say(f"{workload.name}: counting")
        (katafs,) = (each for each in candidates(scratch / workload.name) if each.name == KATAFS)
        profiles[", ".join(workload.rows)] = requests.profile(workload, katafs, scratch)
    return table.profiles(_setting(arguments, _file_system_versions()), profiles)


def _storers(arguments: argparse.Namespace) -> str:
    # Only this table needs the tests' engine and Docker's library.
    from benchmarks import storers

    load = os.getloadavg()[0]
    with _scratch(arguments.base) as scratch:
        rows = storers.measure(scratch, arguments.rounds, arguments.scale, _say)
    return table.comparisons(_setting(arguments, {"Docker": _version_said_by("dockerd")}), load, rows)


def _conversion(arguments: argparse.Namespace) -> str:
    load = os.getloadavg()[0]
    with _scratch(arguments.base) as scratch:
        rows = conversion.measure(scratch, arguments.rounds, arguments.scale, _say)
        _say("conversion: a long list")
        katas, resident_bytes = conversion.listing_bytes(scratch, arguments.scale)
    shown = table.comparisons(_setting(arguments, {}), load, rows)
    return f"{shown}\n\n{katas:,} katas listed by `convert --all --dry-run`: {resident_bytes / 1e6:.0f} MB resident."


def _growth(arguments: argparse.Namespace) -> str:
    # As above.
    from benchmarks import finding

    load, how = os.getloadavg()[0], (arguments.rounds, arguments.scale, _say)
    with _scratch(arguments.base) as scratch:
        groups = [growth.in_directories(scratch, *how), growth.in_stub(scratch, *how)]
        walks = growth.walks(scratch, arguments.scale, _say)
        found = finding.measure(scratch, *how)
    setting = _setting(arguments, {"Docker": _version_said_by("dockerd")})
    tables = table.growth(setting, load, groups), table.walked(walks), table.comparisons(setting, load, found)
    return "\n\n".join(tables)


def _isolation(arguments: argparse.Namespace) -> str:
    # The tests' stand-ins for a disk and for an engine.
    from benchmarks import isolation

    load = os.getloadavg()[0]
    with _scratch(arguments.base) as scratch:
        rows = isolation.measure(scratch, arguments.rounds, arguments.scale, _say)
    return table.latencies(_setting(arguments, _file_system_versions()), load, rows)


def _file_system_versions() -> dict[str, str]:
    return {"bindfs": f"{_version_said_by('bindfs')} multithreaded", "libfuse": _version_said_by("fusermount3")}


def _setting(arguments: argparse.Namespace, others: dict[str, str]) -> table.Setting:
    versions = {"katafs": f"{version('katafs')} on {_interpreter()}", **others}
    # Only the number: what a distribution or a cloud adds to it is its own.
    kernel = _number_in(platform.release())
    cpus = os.cpu_count() or 1
    return table.Setting(kernel, cpus, arguments.pin, arguments.rounds, versions, arguments.warm_up)


def _interpreter() -> str:
    which = "import sys; each = sys.implementation; print(each.name, *each.version[:3])"
    name, *numbers = subprocess.run([PYTHON, "-c", which], capture_output=True, text=True, check=True).stdout.split()
    return f"{ {'cpython': 'CPython', 'pypy': 'PyPy'}.get(name, name) } {'.'.join(numbers)}"


def _version_said_by(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return _number_in(said.stdout)


def _number_in(text: str) -> str:
    match = re.search(r"\d+(\.\d+)+", text)
    return match[0] if match else "of unknown version"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
