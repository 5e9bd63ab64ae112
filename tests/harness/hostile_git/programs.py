"""Programs that git would run."""

import shutil
from pathlib import Path

from tests.harness.avatars import git
from tests.harness.git_objects import loose_path
from tests.harness.hostile_git.attack import Attack, Outcome, Place


def script(place: Place) -> Path:
    """A program that leaves the canary."""
    path = place.avatar / "evil"
    path.write_text(f"#!/bin/sh\ntouch {place.canary}\n")
    path.chmod(0o755)
    return path


def fsmonitor(place: Place) -> None:
    git(place.avatar, "config", "core.fsmonitor", str(script(place)))


def include(place: Place) -> None:
    (place.avatar / "more").write_text(f"[core]\n\tfsmonitor = {script(place)}\n")
    git(place.avatar, "config", "include.path", "../more")


def filters(place: Place) -> None:
    git(place.avatar, "config", "filter.evil.clean", str(script(place)))
    (place.git / "info/attributes").write_text("* filter=evil\n")
    (place.avatar / "manifest.json").write_text("changed")


def text_conversion(place: Place) -> None:
    git(place.avatar, "config", "diff.evil.textconv", str(script(place)))
    (place.git / "info/attributes").write_text("* diff=evil\n")


def hooks(place: Place) -> None:
    shutil.copy(script(place), place.git / "hooks/pre-commit")


def promisor(place: Place) -> None:
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "evil",
        "remote.evil.promisor": "true",
        "remote.evil.url": f"ext::{script(place)}",
        "protocol.ext.allow": "always",
    }.items():
        git(place.avatar, "config", key, value)
    loose_path(place.git, git(place.avatar, "rev-parse", "1:manifest.json").strip()).unlink()


ATTACKS = {
    "fsmonitor": Attack(fsmonitor, Outcome.SHOWN, Outcome.SHOWN, ("status",)),
    "include": Attack(include, Outcome.SHOWN, Outcome.SHOWN, ("status",)),
    "filters": Attack(filters, Outcome.SHOWN, Outcome.SHOWN, ("add", "manifest.json")),
    "text-conversion": Attack(text_conversion, Outcome.SHOWN, Outcome.SHOWN, ("show", "--textconv", "1:manifest.json")),
    "hooks": Attack(hooks, Outcome.SHOWN, Outcome.SHOWN, ("commit", "--allow-empty", "-m", "x")),
    "promisor": Attack(promisor, Outcome.SHOWN, Outcome.CORRUPT, ("show", "1:manifest.json")),
}
