"""The two sides, the reference and the mount: an act is done on both, and must have the same outcome."""

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness.engine import Engine
from tests.harness.programs import run
from tests.soak.entries import difference


@dataclass(frozen=True)
class Side:
    """A root of katas in the split layout, and what a client has of its own there."""

    root: Path
    copies: Path
    """A directory on the disk, outside of any mount, for what is copied out of the root."""
    environment: Mapping[str, str]
    """What programs run with."""
    held: dict[int, int] = field(default_factory=dict)
    """The descriptors of files that are held open, each with the client's number for it."""

    def script(self, kata: str, lines: str) -> str:
        """What a busybox shell prints that does this in the kata, which is its volume's mount on the mount's side."""
        program = ["busybox", "sh", "-c", lines]
        return run(program, cwd=self.root / kata, env=self.environment, status=None).stdout

    def drop_held(self) -> None:
        """Close all that is held open."""
        while self.held:
            os.close(self.held.popitem()[1])


@dataclass(frozen=True)
class MountedSide(Side):
    """The one where a kata is a volume, and a container can have it."""

    engine: Engine = field(kw_only=True)

    def script(self, kata: str, lines: str) -> str:
        volume = kata.replace("/", "")
        return self.engine.run("sh", "-c", f"cd /v\n{lines}", mounts=[f"type=volume,source={volume},target=/v"])


Act = Callable[[Side], object]
"""What is done on a side. Its outcome, what it returns or the errno it raises, must be the same on both."""


class Different(Exception):
    """The sides had different outcomes; the text, one line, says which."""


@dataclass(frozen=True)
class Sides:
    """Both."""

    reference: Side
    mount: MountedSide

    def agree(self, act: Act) -> str | None:
        """Do it on both. The name of the errno, where both refuse it with the same. Raises Different."""
        wanted, found = _outcome(act, self.reference), _outcome(act, self.mount)
        if wanted != found:
            raise Different(_told(wanted, found))
        return wanted.name if isinstance(wanted, Refusal) else None

    def drop_held(self) -> None:
        """Close all that is held open."""
        self.reference.drop_held()
        self.mount.drop_held()


@dataclass(frozen=True)
class Refusal:
    """An act that the system refused."""

    name: str


def _outcome(act: Act, side: Side) -> object:
    try:
        return act(side)
    except OSError as refusal:
        if refusal.errno is None:
            raise
        return Refusal(errno.errorcode[refusal.errno])


def _told(wanted: object, found: object) -> str:
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return f"reference (wanted) and mount (found) differ: {difference(wanted, found)}"
    return f"reference: {_short(wanted)}, mount: {_short(found)}"


def _short(outcome: object) -> str:
    text = repr(outcome)
    return text if len(text) <= 300 else f"{text[:300]}…"
