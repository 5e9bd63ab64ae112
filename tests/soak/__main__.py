"""The command `scripts/soak`: what to run, where, and the report on stdout."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.soak.client import Place
from tests.soak.report import report
from tests.soak.run import Plan, Soak

_MOST_CLIENTS = 16
_OPTIONS = "timeout=10,negative_timeout=10"
"""The kernel may keep everything for longer than a container takes, so that what it keeps wrongly shows. Were it much
longer, the daemon would have no room to note all the names that may be kept: see `katafs.tree.kept`."""


def main() -> None:
    """Exit status 0, or 1 where anything differed or it couldn't be run, or 2 for wrong usage."""
    arguments = _parser().parse_args()
    # As an interrupt does, so that nothing stays mounted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if os.geteuid() != 0:
        sys.exit("soak: needs root, to run a Docker Engine and to make the kernel forget")
    scratch = Path(tempfile.mkdtemp(prefix="katafs-soak-", dir=arguments.base.resolve()))
    scratch.chmod(0o755)
    plan = Plan(arguments.minutes, arguments.seed, arguments.clients, arguments.options, Place(scratch))
    sys.exit(_soak(plan, Soak(plan, _say)))


def _soak(plan: Plan, soak: Soak) -> int:
    try:
        course = soak.run()
    except KeyboardInterrupt:
        _ended(plan, soak)
        _say("interrupted")
        return 1
    except (AssertionError, OSError, subprocess.SubprocessError) as failure:
        _say(str(failure))
        _ended(plan, soak)
        return 1
    if course.failures:
        _say(soak.leave())
    elif problem := _ended(plan, soak):
        course.failures.append(problem)
    print(report(plan, course))
    return 1 if course.failures else 0


def _ended(plan: Plan, soak: Soak) -> str | None:
    problem = soak.end()
    shutil.rmtree(plan.place.scratch)
    return problem


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/soak", description="Many clients use a mount and a plain directory alike; nothing may differ."
    )
    parser.add_argument("--minutes", type=float, default=60.0, metavar="N", help="how long (default 60)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="what is drawn follows from it (default 1)")
    parser.add_argument(
        "--clients", type=int, choices=range(1, _MOST_CLIENTS + 1), default=8, metavar="N", help="processes (default 8)"
    )
    parser.add_argument(
        "--base", type=Path, default=Path("/var/tmp"), metavar="DIR", help="where to work, on ext4 (default /var/tmp)"
    )
    parser.add_argument(
        "-o", dest="options", default=_OPTIONS, metavar="OPTS", help=f"options of the mount (default {_OPTIONS})"
    )
    return parser


def _say(text: str) -> None:
    print(f"soak: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
