"""A mount whose engine is a stand-in, and whose containers are the test: what the kernel keeps it may keep for an hour,
so that whatever it keeps wrongly shows."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.harness.counted_katafs import requests_of
from tests.harness.directory_engine import DirectoryEngine
from tests.harness.mounted import Mounted
from tests.harness.mounts import mounting
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.waiting import until
from tests.mounted.served import fresh_id

LASTING = "timeout=3600,negative_timeout=3600"


class Kata(NamedTuple):
    """A kata on the mount, and behind it."""

    name: str
    shown: Path
    behind: Path


@dataclass(frozen=True)
class Live:
    """A mount, and the engine that has its volumes."""

    engine: DirectoryEngine
    mounted: Mounted

    def make(self) -> Kata:
        """A new kata, of which the kernel keeps the top."""
        name = fresh_id()
        behind = self.engine.make(name)
        shown = self.mounted.path / name
        until(shown.is_dir, "the kata")
        return Kata(name, shown, behind)

    def enter(self, kata: Kata) -> str:
        """A container comes to a kata, and what was kept of it has been dropped by now; the container."""
        (kata.shown / "probe").write_text("")
        (kata.shown / "probe").stat()
        container = self.engine.mount(kata.name)
        (kata.behind / "probe").write_text("longer")
        until(lambda: (kata.shown / "probe").stat().st_size == 6, "the container to be noticed")
        return container

    def until_kept(self, kata: Kata) -> None:
        """Wait until the daemon has heard that the last container is gone: the kernel keeps things again."""

        def kept() -> bool:
            before = (kata.shown / "probe").stat().st_size
            (kata.behind / "probe").write_text("x" * (before + 1))
            return (kata.shown / "probe").stat().st_size == before

        until(kept, "the container's end to be noticed")


@contextmanager
def serving(program: tuple[str, ...]) -> Iterator[Live]:
    directory = fresh_directory()
    with DirectoryEngine(directory) as engine, mounting(directory) as mount:
        yield Live(engine, mount("-o", LASTING, volumes="docker", env=engine.env, program=program))
    remove_directory(directory)


def fill(kata: Kata) -> None:
    """A few things that somebody else has made, of which the kernel then keeps all it can, and names that it knows not
    to be there."""
    (kata.behind / "d").mkdir()
    (kata.behind / "f").write_text("old")
    (kata.behind / "d" / "g").write_text("old")
    (kata.behind / "linked").hardlink_to(kata.behind / "f")
    (kata.behind / "link").symlink_to("old")
    at = kata.shown
    assert [(at / path).read_text() for path in ("f", "d/g")] == ["old", "old"]
    assert os.readlink(at / "link") == "old"
    assert not any((at / path).exists() for path in ("absent", "d/absent"))
    for path in ("f", "d/g", "linked", "link", "d", "."):  # last, since reading makes the kernel ask for times anew
        os.lstat(at / path)


@dataclass(frozen=True)
class Counted:
    """A mount whose requests are counted."""

    live: Live
    requests: Path

    def of(self, call: Callable[[], object]) -> int:
        """How many a call makes."""
        return requests_of(self.requests, call).total()

    def of_ten_looks(self, kata: Kata) -> int:
        """How many it takes to look ten times at what is there and at what isn't."""

        def look() -> None:
            for _ in range(10):
                assert (kata.shown / "d/g").stat().st_size == 3
                assert not (kata.shown / "d/absent").exists()

        return self.of(look)
