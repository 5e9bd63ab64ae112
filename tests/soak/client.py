"""One client: a process that takes its turns until its time is over, and tells what it did, or what was different."""

import json
import os
import signal
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from inspect import getclosurevars
from pathlib import Path

from tests.harness.engine import Engine
from tests.soak import katas
from tests.soak.choice import Choice
from tests.soak.operations import NEW_KATA, OPERATIONS, WEIGHTS
from tests.soak.sides import Act, Different, MountedSide, Side, Sides
from tests.soak.tools import environment_below

PHASES = WARM_UP, SOAK = "warm-up", "soak"


@dataclass(frozen=True)
class Place:
    """Where everything is, below the one scratch directory."""

    scratch: Path

    @property
    def reference(self) -> Path:
        """The root of katas that is a plain directory."""
        return self.scratch / "reference"

    @property
    def mount(self) -> Path:
        """Where katafs is mounted."""
        return self.scratch / "mnt"

    @property
    def engine(self) -> Path:
        """The private engine's own."""
        return self.scratch / "engine"


@dataclass(frozen=True)
class Assignment:
    """What a client is to do. The same seed, number and phase draw the same."""

    scratch: Path
    seed: int
    number: int
    phase: str
    until_s: float
    """On the clock of time.monotonic, which all processes share."""

    @property
    def result(self) -> Path:
        """Where it leaves what it did."""
        return self.scratch / f"client-{self.number}-{self.phase}.json"


@dataclass
class Done:
    """What a client did, and what was different, or went wrong, in one line."""

    operations: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    bytes_drawn: int = 0
    katas_removed: int = 0
    failure: str = ""


def work(assignment: Assignment) -> None:
    """Be the client, in a process of one's own; ends when its time is over, at SIGTERM, or when its parent is gone."""
    ending: list[int] = []
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer, and it then sends SIGTERM
    signal.signal(signal.SIGTERM, lambda number, _: ending.append(number))
    os.umask(0o022)
    parent, client = os.getppid(), Client(assignment)
    while not ending and not client.done.failure and os.getppid() == parent and time.monotonic() < assignment.until_s:
        client.turn()
    client.end()
    assignment.result.write_text(json.dumps(vars(client.done)))


class Client:
    """Its katas, and its turns."""

    def __init__(self, assignment: Assignment) -> None:
        self.done = Done()
        self._assignment = assignment
        self._turn = 0
        self._sides = _sides(assignment)
        self._outer = katas.outer_of(assignment.number)
        self._choice = Choice(f"{assignment.seed}.{assignment.number}.{assignment.phase}")
        self._next = katas.first_of(PHASES.index(assignment.phase))
        outer = self._sides.reference.root / self._outer
        if outer.exists():
            # A phase begins without katas: what is drawn in it doesn't hang on how far the one before it came.
            for name in sorted(os.listdir(outer)):
                self._remove(f"{self._outer}/{name}")
        else:
            self._must("outer directory", lambda side: os.mkdir(side.root / self._outer))

    def turn(self) -> None:
        """One operation, on both sides."""
        self._turn += 1
        kind = self._choice.weighted(WEIGHTS) if self._choice.katas else NEW_KATA
        if kind == NEW_KATA:
            self._new_kata()
        else:
            self._agree(kind, OPERATIONS[kind].draw(self._choice))

    def end(self) -> None:
        """Close what is held open."""
        self._sides.drop_held()
        self.done.bytes_drawn = self._choice.bytes_drawn

    def _new_kata(self) -> None:
        kata = katas.name_of(self._outer, self._next)
        self._next += 1
        self._must(NEW_KATA, katas.make(kata, self._choice))
        self._choice.katas.append(kata)
        if len(self._choice.katas) > katas.MOST:
            self._sides.drop_held()
            self._remove(self._choice.katas.pop(0))

    def _remove(self, kata: str) -> None:
        self._must("look at a kata", katas.look(kata))
        self._must("remove a kata", katas.remove(kata))
        self.done.katas_removed += 1

    def _must(self, kind: str, act: Act) -> None:
        if refusal := self._agree(kind, act):
            self.done.failure = self._told(kind, act, f"{refusal} on both sides")

    def _agree(self, kind: str, act: Act) -> str | None:
        if self.done.failure:
            return None
        self.done.operations[kind] += 1
        refusal = None
        try:
            refusal = self._sides.agree(act)
        except Different as different:
            self.done.failure = self._told(kind, act, str(different))
        except Exception:  # noqa: BLE001  # told by the parent, which fails
            self.done.failure = self._told(kind, act, repr(traceback.format_exc()))
        if refusal is not None:
            self.done.refused[kind] += 1
        return refusal

    def _told(self, kind: str, act: Act, what: str) -> str:
        a = self._assignment
        drawn = {name: value for name, value in getclosurevars(act).nonlocals.items() if not isinstance(value, bytes)}
        return f"seed {a.seed}, client {a.number}, {a.phase}, turn {self._turn}, {kind}: {what}; drawn: {drawn}"


def _sides(assignment: Assignment) -> Sides:
    place = Place(assignment.scratch)
    copies = assignment.scratch / f"copies-{assignment.number}"
    for each in ("reference", "mount"):
        (copies / each).mkdir(parents=True, exist_ok=True)
    environment = environment_below(place.scratch)
    return Sides(
        Side(place.reference, copies / "reference", environment),
        MountedSide(place.mount, copies / "mount", environment, engine=Engine(place.engine)),
    )
