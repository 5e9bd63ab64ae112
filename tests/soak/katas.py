"""Katas as clients make them, and as they are removed again, so that a soak of any length needs the same room."""

import json
import os
import shutil

from tests.soak.choice import Choice
from tests.soak.entries import entries
from tests.soak.sides import Act, Side
from tests.soak.tools import git_init

MOST = 6
"""A client that has more katas than these removes its oldest."""


def outer_of(client: int) -> str:
    """The outer directory in which only this client, from 0 to 15, has katas."""
    return f"E{client:X}"


def first_of(phase: int) -> int:
    """The number of a client's first kata in a phase, from 0 on, which no phase before it comes to."""
    return (phase << 28) + 1


def name_of(outer: str, number: int) -> str:
    """The path of a client's kata below the root: its id is unique, and later ones are greater."""
    return f"{outer}/{number:08X}"


def make(kata: str, choice: Choice) -> Act:
    """A kata with an avatar, most with a repository."""
    has_git = choice.number(4) > 0
    manifest = json.dumps({"id": kata.replace("/", ""), "language": choice.text()})

    def act(side: Side) -> object:
        sandbox = side.root / kata / "lion" / "sandbox"
        os.mkdir(side.root / kata)
        (side.root / kata / "manifest.json").write_text(manifest)
        sandbox.mkdir(parents=True)
        (sandbox / "cyber-dojo.sh").write_text("make test")
        return git_init(side, f"{kata}/lion") if has_git else None

    return act


def make_avatar(choice: Choice) -> Act:
    """Another avatar in a kata that is there, with its repository."""
    avatar = f"{choice.kata()}/tiger"

    def act(side: Side) -> object:
        (side.root / avatar / "sandbox").mkdir(parents=True)
        return git_init(side, avatar)

    return act


def look(kata: str) -> Act:
    """All that is in it."""
    return lambda side: entries(side.root / kata)


def remove(kata: str) -> Act:
    """The whole kata, and its volume with it."""

    def act(side: Side) -> object:
        shutil.rmtree(side.root / kata)
        return os.path.lexists(side.root / kata)

    return act
