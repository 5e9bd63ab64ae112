"""What the storers cost, and what they save: the rows of the second table."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks import cycles
from benchmarks.table import Comparison
from katafs.storers.plain import PlainStorer
from katafs.volumes.memory import MemoryStore
from tests.harness.engine import Engine

_KATAS = 1000


def measure(scratch: Path, rounds: int, scale: float, say: Callable[[str], None]) -> list[Comparison]:
    """All of it, on a private Docker Engine below the directory; `scale` 1 is the full size.

    Raises RuntimeError where something fails, CalledProcessError or TimeoutExpired where a program does."""
    say("katas in memory")
    rows = [_katas_in_memory(max(1, round(_KATAS * scale)), rounds)]
    with private_engine(scratch, say) as engine:
        engine.make_image()
        say("a private engine: test runs")
        return [*rows, *cycles.cycles(engine, rounds)]


@contextmanager
def private_engine(scratch: Path, say: Callable[[str], None]) -> Iterator[Engine]:
    """A Docker Engine of our own below the directory. Raises RuntimeError where it doesn't start or end."""
    say("a private engine: starting")
    engine = Engine(_below(scratch))
    try:
        engine.start()
        yield engine
    except AssertionError as problem:  # how the tests' engine says that something failed
        raise RuntimeError(str(problem)) from problem
    finally:
        say("a private engine: ending")
        engine.clean_up()


def _below(scratch: Path) -> Path:
    directory = scratch / "engine"
    directory.mkdir()
    return directory


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
