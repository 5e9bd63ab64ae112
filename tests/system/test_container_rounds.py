"""A container changes what it has mounted, and a reader looks through the mount right after: nothing is ever stale.

The container is one long-running shell that takes orders; and the kernel may keep everything for an hour, so that what
it keeps wrongly shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import waiting
from tests.harness.counted_katafs import counted, requests_of
from tests.harness.engine import Engine
from tests.harness.mounted import Mounted
from tests.harness.mounts import Mounts
from tests.harness.orders import SHELL, Orders
from tests.harness.rounds import Rounds
from tests.system.stores import InEngine

pytestmark = pytest.mark.xdist_group("docker")

KATA = "123456789A"
ROUNDS = 2000
LASTING = "timeout=3600,negative_timeout=3600"


@dataclass(frozen=True)
class Container:
    """A container with the kata, and the shell in it."""

    name: str
    order: Orders


class Containers:
    """Starts containers that work in the kata's directory of rounds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._running: list[Container] = []

    def start(self) -> Container:
        """A container that runs, whose shell is ready."""
        name = self._engine.start_container("sleep", "3600", mounts=[f"type=volume,source={KATA},target=/v"])
        command = ["docker", "exec", "--interactive", "--workdir=/v/rounds", name, *SHELL]
        container = Container(name, Orders(command, self._engine.env))
        self._running.append(container)
        container.order("true")
        return container

    def end(self, container: Container) -> None:
        """End one."""
        self._running.remove(container)
        container.order.close()
        self._engine.remove_container(container.name)

    def end_all(self) -> None:
        """End those that still run."""
        for container in list(self._running):
            self.end(container)


@pytest.fixture
def store(engine: Engine) -> Iterator[InEngine]:
    """An engine with one kata, in which is an empty directory for the rounds."""
    store = InEngine(engine).emptied()
    engine.run("mkdir", "/v/rounds", mounts=[f"type=volume,source={KATA},target=/v"])
    yield store
    store.emptied()


@pytest.fixture
def containers(store: InEngine) -> Iterator[Containers]:
    """Ends them after the test."""
    containers = Containers(store.engine)
    yield containers
    containers.end_all()


def shown_by(mounted: Mounted) -> Path:
    """Where a mount shows the directory of the rounds."""
    return mounted.path / "12" / "3456789A" / "rounds"


def test_nothing_stale_in_many_rounds(disk: Path, containers: Containers, store: InEngine, mount: Mounts) -> None:
    """Neither of what was kept before the container came. When it has gone, the kernel keeps things again."""
    program = counted(disk / "requests")
    mounted = mount("--layout", "split", "-o", LASTING, volumes=store.volumes, env=store.env, program=program)
    with Orders(SHELL, cwd=shown_by(mounted)) as through_the_mount:
        rounds = Rounds(shown_by(mounted), through_the_mount)
        rounds.run(50)
    waiting.until(lambda: requests_of(disk / "requests", rounds.look_at_status).total() == 0, "no request")
    container = containers.start()
    rounds.order = container.order
    for _ in range(20):
        rounds.change()
    waiting.until(rounds.shows, "the container to be noticed")

    rounds.run(ROUNDS)

    assert requests_of(disk / "requests", rounds.look_at_status).total() > 0
    containers.end(container)
    waiting.until(lambda: requests_of(disk / "requests", rounds.look_at_status).total() == 0, "no request")


def test_nothing_stale_for_a_daemon_that_finds_the_container_there(
    containers: Containers, store: InEngine, mount: Mounts
) -> None:
    container = containers.start()
    mounted = mount("--layout", "split", "-o", LASTING, volumes=store.volumes, env=store.env)

    Rounds(shown_by(mounted), container.order).run(100)
