"""The engine is upgraded, or another one comes up at its socket: the mount stays, and goes on with what is there."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.harness.engine_process import EngineProcess, engine_process
from tests.harness.mounted import Mounted
from tests.harness.mounts import Mounts
from tests.harness.status import status_of
from tests.harness.waiting import holds_within, until

KATA = "123456789A"
OTHER = "AAAAAAAAAA"
NEW = "BBBBBBBBBB"
OLD_API, NEW_API, TOO_OLD_API = "1.41", "1.47", "1.40"


class Reader:
    """Reads a kata's file over and over, and keeps what went wrong."""

    def __init__(self, kata: Path) -> None:
        self._kata = kata
        self._over = Event()
        self._thread = Thread(target=self._run)
        self.readings = 0
        self.wrong: list[object] = []

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.002):
            self.readings += 1
            try:
                if os.listdir(self._kata) != ["file"] or (self._kata / "file").read_text() != KATA:
                    self.wrong.append("another content")
            except OSError as problem:
                self.wrong.append(problem)

    def reads_on(self) -> None:
        """Wait until it has read some more."""
        before = self.readings
        until(lambda: self.readings > before + 20, "the reader to go on")


@pytest.fixture
def engines(disk: Path) -> Iterator[Callable[..., EngineProcess]]:
    """Brings engines up at the one socket, each in a directory of its own or with the volumes of another."""
    with ExitStack() as stack:

        def start(name: str, api: str, volumes: Path | None = None) -> EngineProcess:
            (disk / name).mkdir()
            if volumes is not None:
                (disk / name / "volumes").symlink_to(volumes)
            return stack.enter_context(engine_process(disk / name, disk / "sock", api))

        yield start


@pytest.fixture
def first(engines: Callable[..., EngineProcess]) -> EngineProcess:
    """An engine with a kata."""
    engine = engines("first", OLD_API)
    (engine.make(KATA) / "file").write_text(KATA)
    return engine


@pytest.fixture
def mounted(first: EngineProcess, disk: Path, mount: Mounts) -> Mounted:
    """Its volumes, mounted; nothing is kept by the kernel for longer than it takes."""
    mounted = mount("-o", "timeout=0", volumes="docker", env={"DOCKER_HOST": f"unix://{disk}/sock"})
    mounted.expect("lost the engine")
    return mounted


def is_reachable(mounted: Mounted) -> bool:
    return bool(status_of(mounted.path)["store"]["reachable"])


def end(engine: EngineProcess, socket: Path, mounted: Mounted) -> None:
    """End the engine, and take its socket away."""
    engine.kill()
    socket.unlink()
    until(lambda: not is_reachable(mounted), "the loss to be noticed")


def test_an_upgraded_engine_is_followed_and_no_reading_fails(
    first: EngineProcess, engines: Callable[..., EngineProcess], mounted: Mounted, disk: Path
) -> None:
    with Reader(mounted.path / KATA) as reader:
        reader.reads_on()
        end(first, disk / "sock", mounted)
        reader.reads_on()
        (first.volumes / OTHER).mkdir()  # made while nobody followed
        second = engines("second", NEW_API, volumes=first.volumes)
        until(lambda: is_reachable(mounted), "the new engine to be found")
        until((mounted.path / OTHER).is_dir, "what was made meanwhile to be seen")
        second.make(NEW)
        until((mounted.path / NEW).is_dir, "what the new engine tells of to be seen")
        (mounted.path / "CCCCCCCCCC").mkdir()
        reader.reads_on()

    assert reader.wrong == []
    assert sorted(os.listdir(mounted.path)) == sorted([KATA, OTHER, NEW, "CCCCCCCCCC"])
    assert (second.volumes / "CCCCCCCCCC").is_dir()


def test_an_engine_with_other_volumes_is_followed_and_what_is_open_stays_readable(
    first: EngineProcess, engines: Callable[..., EngineProcess], mounted: Mounted, disk: Path
) -> None:
    with (mounted.path / KATA / "file").open() as file:
        end(first, disk / "sock", mounted)
        assert (mounted.path / KATA / "file").read_text() == KATA
        second = engines("second", NEW_API)
        second.make(OTHER)
        until(lambda: os.listdir(mounted.path) == [OTHER], "the other engine's volumes to be seen")
        assert file.read() == KATA

    assert not (mounted.path / KATA).exists()
    assert (first.volumes / KATA / "file").read_text() == KATA


def test_a_socket_that_is_replaced_while_the_old_engine_lives_on_is_found_at_its_end(
    first: EngineProcess, engines: Callable[..., EngineProcess], mounted: Mounted, disk: Path
) -> None:
    with Reader(mounted.path / KATA) as reader:
        second = engines("second", NEW_API, volumes=first.volumes)
        reader.reads_on()
        assert is_reachable(mounted)  # it follows the old one still
        first.kill()
        mounted.wait_for_log("the engine answers again")
        second.make(NEW)
        until((mounted.path / NEW).is_dir, "what the new engine tells of to be seen")

    assert reader.wrong == []


def test_an_engine_that_is_too_old_is_waited_out(
    first: EngineProcess, engines: Callable[..., EngineProcess], mounted: Mounted, disk: Path
) -> None:
    end(first, disk / "sock", mounted)
    old = engines("old", TOO_OLD_API, volumes=first.volumes)
    with Reader(mounted.path / KATA) as reader:
        until(lambda: "too old" in str(status_of(mounted.path)["store"]["fault"]), "the status to say so")
        assert not holds_within(lambda: is_reachable(mounted), 1)
        end(old, disk / "sock", mounted)
        engines("third", NEW_API, volumes=first.volumes)
        until(lambda: is_reachable(mounted), "the right engine to be found")
        reader.reads_on()

    assert reader.wrong == []
