"""Katas on a disk that isn't the store's, and what happens at a certain moment of their conversion."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

from katafs.converter.spots import Spot
from tests.harness.crashes import Forked
from tests.system.old_disks import INNER, KATA, OUTER, words

SCRIPT = Path("lion/sandbox/cyber-dojo.sh")


class Far:
    """A kata, and a store in another file system; and what happens at a certain moment in a converter's process."""

    def __init__(self, directory: Path, volumes: Path) -> None:
        self.scratch = directory
        self.disk, self.volumes = directory / "katas", volumes
        self.kata, self.volume = self.disk / OUTER / INNER, volumes / KATA

    def convert(self, prepare: Callable[[], None], status: int, *options: str) -> str:
        """What a conversion printed in whose process something was prepared."""
        report = self.scratch / "report.jsonl"
        running = Forked(words(self.disk, self.volumes, KATA, "--report", str(report), *options), self.scratch / "out",
                         prepare=prepare)  # fmt: skip
        assert running.ended() == status, running.output()
        assert len(report.read_text().splitlines()) == 1
        self.line = json.loads(report.read_text())
        report.unlink()
        return running.output()

    def convert_until_killed(self, prepare: Callable[[], None]) -> None:
        """A conversion whose process was prepared to kill itself."""
        running = Forked(words(self.disk, self.volumes, KATA), self.scratch / "out", prepare=prepare)
        assert running.ended() == -signal.SIGKILL, running.output()


def around(owner: object, name: str, before: Callable[..., None] | None = None,
            after: Callable[..., None] | None = None) -> None:  # fmt: skip
    """Let something happen before or after each call of a function in this process."""
    original = getattr(owner, name)

    def wrapped(*arguments: object, **named: object) -> object:
        if before is not None:
            before(*arguments)
        result = original(*arguments, **named)
        if after is not None:
            after(*arguments)
        return result

    setattr(owner, name, wrapped)


def once(action: Callable[[], object]) -> Callable[..., None]:
    done: list[object] = []

    def act(*_: object) -> None:
        if not done:
            done.append(action())

    return act


def before_commit(action: Callable[[], object]) -> Callable[[], None]:
    """The last moment before the kata leaves its place, when all was compared."""

    def act(_: object, target: Spot, *__: object) -> None:
        if target.name.startswith(b".katafs-leaving"):
            action()

    return lambda: around(Spot, "rename_to", before=act)
