"""Runs `katafs doctor` and reads what it found."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.harness.mounted import PROGRAM
from tests.harness.programs import run

NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}


@dataclass(frozen=True)
class Found:
    """One finding, as `--json` has it."""

    check: str
    severity: str
    text: str
    remedy: str


@dataclass(frozen=True)
class Report:
    """What the doctor said."""

    status: int
    findings: Sequence[Found]

    def troubles(self) -> set[tuple[str, str]]:
        """The check and the severity of whatever isn't ok."""
        return {(found.check, found.severity) for found in self.findings if found.severity != "ok"}

    def new_troubles(self, clean: "Report") -> set[tuple[str, str]]:
        """Those that weren't there before."""
        return self.troubles() - clean.troubles()

    def the(self, check: str) -> Found:
        """The one finding of a check that isn't ok, or the only one of it."""
        of_check = [found for found in self.findings if found.check == check]
        (one,) = [found for found in of_check if found.severity != "ok"] or of_check
        return one


def doctor(*arguments: str | Path, env: Mapping[str, str] = NO_ENGINE, through: Sequence[str] = ()) -> Report:
    """Run it, `through` another program (`prlimit …`) if one is named."""
    done = run([*through, *PROGRAM, "doctor", "--json", *arguments], env=env, status=None)
    assert done.stderr == "", done
    return Report(done.status, [Found(**found) for found in json.loads(done.stdout)])


def planted(prepare: str) -> list[str]:
    """What runs a program in mount and process namespaces of its own, as if on a machine whose root first ran
    `prepare`, a shell's command."""
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--mount-proc"]
    # Not exec: the shell stays process 1, as on a machine.
    return [*namespaces, "sh", "-c", f'{prepare}; "$@"; exit $?', "sh"]
