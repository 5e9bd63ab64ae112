"""What a container that had the whole kata has left in `.git` runs no program as the server, and keeps no request."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from katafs.errors import CorruptKata, GitFailed
from katafs.storers import git_program
from katafs.storers.storer import Delta, Storer
from tests.contract.storers.cells import FILES, KATA, NOW
from tests.harness.avatars import GIT
from tests.harness.programs import run

CALLS: dict[str, Callable[[Storer], object]] = {
    "save": lambda storer: storer.sandbox_save(KATA, "lion", Delta(changed=["hiker.py"]), FILES),
    "run": lambda storer: storer.avatar_ran_tests(KATA, "lion", FILES, NOW, "second", "red"),
    "tags": lambda storer: storer.tags(KATA, "lion"),
    "diff": lambda storer: storer.tag_diff(KATA, "lion", 0, 1),
}
FETCHING = """
[extensions]
    partialClone = evil
[remote "evil"]
    promisor = true
    url = ext::{program} %S
[protocol]
    allow = always
[protocol "ext"]
    allow = always
"""
RUNNING = """
[core]
    fsmonitor = {program}
    hooksPath = {hooks}
    pager = {program}
[diff]
    external = {program}
[diff "evil"]
    command = {program}
    textconv = {program}
[filter "evil"]
    clean = {program}
    process = {program}
    required = true
[gpg]
    program = {program}
[pager]
    diff = {program}
[tag]
    forceSignAnnotated = true
    gpgSign = true
"""
HOOKS = ("post-index-change", "reference-transaction", "pre-commit", "post-commit")


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """What comes to be when the program beside it is run."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/canary\n")
    program.chmod(0o755)
    return tmp_path / "canary"


def say(repository: Path, settings: str, canary: Path) -> None:
    """Have the repository's settings name the program, each in its way."""
    program, hooks = canary.with_name("program"), canary.with_name("hooks")
    hooks.mkdir()
    for name in HOOKS:
        for place in (hooks, repository / "hooks"):
            (place / name).symlink_to(program)
    (repository / "info/attributes").write_text("* diff=evil filter=evil\n")
    with (repository / "config").open("a") as config:
        config.write(settings.format(program=program, hooks=hooks))


def lost(repository: Path) -> None:
    """Remove the contents of every file, which git is to fetch then."""
    listed = by_hand(repository, "cat-file", "--batch-all-objects", "--batch-check").splitlines()
    for name in [line.split()[0] for line in listed if " blob " in line]:
        (repository / "objects" / name[:2] / name[2:]).unlink()


def by_hand(repository: Path, *words: str) -> str:
    """What the server's own commands would do."""
    return run(["git", "-c", "safe.directory=*", "-C", repository, *words], env=GIT, status=None).stdout


@pytest.mark.parametrize("call", ["tags", "diff", "run"])
def test_git_fetches_nothing_that_is_missing(git: Storer, disk: Path, canary: Path, call: str) -> None:
    repository = disk / KATA / "lion/.git"
    lost(repository)
    say(repository, FETCHING, canary)
    with pytest.raises((CorruptKata, GitFailed)):
        CALLS[call](git)
    assert not canary.exists()
    by_hand(repository, "show", "0:manifest.json")
    assert canary.exists(), "the attack itself does nothing"


@pytest.mark.parametrize("call", CALLS)
def test_git_runs_no_program_of_the_settings(git: Storer, disk: Path, canary: Path, call: str) -> None:
    repository = disk / KATA / "lion/.git"
    say(repository, RUNNING, canary)
    CALLS[call](git)
    assert not canary.exists()
    by_hand(repository, "tag", "--message", "evil", "evil")
    assert canary.exists(), "the attack itself does nothing"


@pytest.mark.parametrize(
    ("name", "call"),
    [("HEAD", "run"), ("HEAD", "tags"), ("config", "save"), ("index", "run"), ("refs/tags/1", "diff")],
)
def test_git_waits_for_no_fifo_for_ever(
    git: Storer, disk: Path, monkeypatch: pytest.MonkeyPatch, name: str, call: str
) -> None:
    monkeypatch.setattr(git_program, "_LASTING_S", 1)
    place = disk / KATA / "lion/.git" / name
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(GitFailed, match="did not complete in 1 secs"):
        CALLS[call](git)
