"""What the storers cost, and what they save: the rows of the second table."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from benchmarks import cycles, finding
from benchmarks.table import Comparison
from katafs.storers.plain import PlainStorer
from katafs.volumes.memory import MemoryStore
from tests.harness.engine import Engine

_KATAS = 1000
_VOLUMES_IN_STUB = 50_000
_VOLUMES_IN_ENGINE = 5_000


def measure(scratch: Path, rounds: int, scale: float, say: Callable[[str], None]) -> list[Comparison]:
    """All of it, on a private Docker Engine below the directory; `scale` 1 is the full size.

    Raises RuntimeError where something fails, CalledProcessError or TimeoutExpired where a program does."""
    say("katas in memory")
    rows = [_katas_in_memory(max(1, round(_KATAS * scale)), rounds)]
    say("volumes of a stub engine")
    found_in_stub = finding.in_stub(_sized(_VOLUMES_IN_STUB, scale), scratch, rounds)
    say("a private engine: starting")
    try:
        found_in_engine = _on_engine(Engine(_below(scratch)), rounds, scale, say, rows)
    except AssertionError as problem:  # how the tests' engine says that something failed
        raise RuntimeError(str(problem)) from problem
    return [*rows, *found_in_stub, *found_in_engine]


def _on_engine(
    engine: Engine, rounds: int, scale: float, say: Callable[[str], None], rows: list[Comparison]
) -> list[Comparison]:
    try:
        engine.start()
        engine.make_image()
        say("a private engine: test runs")
        rows += cycles.cycles(engine, rounds)
        say("a private engine: volumes")
        return finding.in_engine(_sized(_VOLUMES_IN_ENGINE, scale), engine, rounds)
    finally:
        say("a private engine: ending")
        engine.clean_up()


def _below(scratch: Path) -> Path:
    directory = scratch / "engine"
    directory.mkdir()
    return directory


def _sized(volumes: int, scale: float) -> int:
    return max(8, round(volumes * scale))


def _katas_in_memory(katas: int, rounds: int) -> Comparison:
    compared = Comparison(f"{katas:,} katas with an avatar each, on the memory store: CPU")
    for _ in range(rounds):
        with closing(MemoryStore()) as store:
            storer = PlainStorer(store)
            start = time.process_time()
            for number in range(katas):
                kata = storer.create_kata(cycles.manifest(f"{number:010X}"))
                storer.start_avatar(kata, ["lion"])
            compared.katafs.append(time.process_time() - start)
    return compared
