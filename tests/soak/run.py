"""A soak from its beginning to its end: the engine, the mount, the clients in two phases, and what they are held to."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.harness.engine import Engine
from tests.harness.mounted import Mounted
from tests.soak.bounds import beyond
from tests.soak.client import SOAK, WARM_UP, Assignment, Done, Place
from tests.soak.clients import Clients
from tests.soak.entries import difference, entries
from tests.soak.samples import Sample, quiet, sample
from tests.soak.tools import write_settings

SAMPLE_S = 10.0
_WARM_UP, _WARM_UP_S = 0.1, 180.0
"""The part of the time, and the most of it, after which what the daemon holds is what it is held to at the end."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What was asked for."""

    minutes: float
    seed: int
    clients: int
    options: str
    """What the mount is told with -o; nothing where it is empty."""
    place: Place


@dataclass
class Course:
    """What was seen."""

    done: list[Done] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    warm: Sample | None = None
    end: Sample | None = None
    names: int = 0
    """How many there were in the trees at the end."""
    failures: list[str] = field(default_factory=list)

    def operations(self) -> Counter[str]:
        """By kind, of all clients."""
        return sum((each.operations for each in self.done), Counter[str]())

    def refused(self) -> Counter[str]:
        """Of those, what both sides refused."""
        return sum((each.refused for each in self.done), Counter[str]())


class Soak:
    """One run. Whoever makes it calls `end` or `leave` at last, whatever happens."""

    def __init__(self, plan: Plan, say: Say) -> None:
        self.course = Course()
        self._plan = plan
        self._say = say
        self._engine = Engine(plan.place.engine)
        self._mounted: Mounted | None = None
        self._sampled_s = 0.0

    def run(self) -> Course:
        """The whole of it, until the first failure. Raises AssertionError or OSError where it can't even begin."""
        mounted = self._start()
        try:
            self._phases(mounted)
        except OSError as problem:  # of the mount, and nobody else's: it is there for a look, as after any failure
            self._fail(f"the mount answers {problem}")
        return self.course

    def end(self) -> str | None:
        """Unmount and end the engine. What the daemon's end shows to be wrong, or None."""
        problem = self._mounted.finish() if self._mounted else None
        self._engine.clean_up()
        return problem

    def leave(self) -> str:
        """End only the engine, and leave the mount, its daemon and the files for a look; how to end those."""
        if self._engine.runs:
            self._engine.stop()
        place = self._plan.place
        return f"left for a look: {place.scratch}; to end it: umount {place.mount} && rm -r {place.scratch}"

    def _start(self) -> Mounted:
        place = self._plan.place
        for directory in (place.reference, place.mount, place.engine):
            directory.mkdir()
        write_settings(place.scratch)
        self._engine.start()
        self._engine.make_image()
        options = ["-o", self._plan.options] if self._plan.options else []
        arguments = ["--volumes", "docker", "--layout", "split", *options]
        self._mounted = Mounted(place.mount, arguments, place.scratch / "katafs.log", self._engine.env)
        self._mounted.wait_until_ready()
        return self._mounted

    def _phases(self, mounted: Mounted) -> None:
        seconds = self._plan.minutes * 60
        warm_s = min(seconds * _WARM_UP, _WARM_UP_S)
        self.course.warm = self._phase(mounted, WARM_UP, warm_s)
        if self.course.warm:
            self.course.end = self._phase(mounted, SOAK, seconds - warm_s)
        if self.course.warm and self.course.end:
            self.course.failures += beyond(self.course.warm, self.course.end)

    def _fail(self, what: str) -> None:
        self.course.failures.append(f"seed {self._plan.seed}: {what}")

    def _phase(self, mounted: Mounted, phase: str, seconds: float) -> Sample | None:
        """What the daemon holds after it, when nobody uses the mount any more, or None after a failure."""
        self._say(f"{phase}: {self._plan.clients} clients, {seconds:.0f} s")
        until_s = time.monotonic() + seconds
        scratch, seed = self._plan.place.scratch, self._plan.seed
        clients = Clients([Assignment(scratch, seed, each, phase, until_s) for each in range(self._plan.clients)])
        with clients:
            clients.watched(lambda: self._look(mounted))
        results = clients.results()
        self.course.done += results
        self.course.failures += [each.failure for each in results if each.failure]
        if not self.course.failures:
            self._compare()
            self._look_at_log(mounted)
        return None if self.course.failures else quiet(mounted)

    def _look(self, mounted: Mounted) -> bool:
        """Whether anything is wrong with the daemon; samples it as well, when it is time."""
        self._look_at_log(mounted)
        if not self.course.failures and time.monotonic() >= self._sampled_s + SAMPLE_S:
            self._sampled_s = time.monotonic()
            self.course.samples.append(sample(mounted))
        return bool(self.course.failures)

    def _look_at_log(self, mounted: Mounted) -> None:
        if mounted.status is not None:
            self._fail(f"the daemon ended with status {mounted.status}")
        logged = " ".join(" ".join(mounted.unexpected()).split())
        if logged:
            self._fail(f"the daemon logged {logged}")

    def _compare(self) -> None:
        wanted = entries(self._plan.place.reference, of_volumes=True)
        found = entries(self._plan.place.mount, of_volumes=True)
        self.course.names = len(wanted)
        if different := difference(wanted, found):
            self._fail(f"the trees differ, reference (wanted) and mount (found): {different}")
