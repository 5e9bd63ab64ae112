"""The engine goes away while its volumes are mounted: known katas stay, nothing is lost, and it heals by itself."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import waiting
from tests.harness.engine import Engine
from tests.harness.mounted import Mounted
from tests.harness.mounts import Mounts
from tests.harness.status import status_of
from tests.system.stores import InEngine

pytestmark = pytest.mark.xdist_group("docker")


@pytest.fixture
def mounted(engine: Engine, mount: Mounts) -> Iterator[Mounted]:
    """A split mount with one kata, whose engine has been stopped, and will be running again afterwards."""
    store = InEngine(engine).emptied()
    mounted = mount("--layout", "split", volumes=store.volumes, env=store.env)
    (mounted.path / "12" / "3456789A").mkdir(parents=True)
    (mounted.path / "12" / "3456789A" / "file").write_text("known\n")
    mounted.expect("(?i)engine")
    engine.stop()
    try:
        yield mounted
    finally:
        if not engine.runs:
            engine.start()
        store.emptied()


def _errno_of(call: Callable[[], object]) -> str:
    try:
        call()
    except OSError as problem:
        return errno.errorcode[problem.errno or 0]
    return "none"


def _kata(mounted: Mounted) -> Path:
    return mounted.path / "12" / "3456789A"


def test_known_katas_stay(mounted: Mounted) -> None:
    assert (_kata(mounted) / "file").read_text() == "known\n"
    (_kata(mounted) / "file").write_text("changed\n")
    (_kata(mounted) / "new").write_text("new\n")
    assert sorted(os.listdir(_kata(mounted))) == ["file", "new"]
    assert (_kata(mounted) / "file").read_text() == "changed\n"
    assert os.listdir(mounted.path / "12") == ["3456789A"]


def test_no_kata_can_be_made_and_the_log_says_why(mounted: Mounted) -> None:
    assert _errno_of((mounted.path / "12" / "ABCDEF01").mkdir) == "EIO"
    mounted.wait_for_log(r"WARNING: failed operation=(lookup|mkdir) .*Engine")


def test_the_status_says_so_until_it_is_back(engine: Engine, mounted: Mounted) -> None:
    waiting.until(
        lambda: not status_of(mounted.path)["store"]["reachable"], "the status to say that the engine is gone"
    )
    assert "Engine" in status_of(mounted.path)["store"]["fault"]

    engine.start()

    waiting.until(lambda: status_of(mounted.path)["store"]["reachable"], "the status to say that it is back")


def test_an_unknown_kata_is_not_said_to_be_missing(mounted: Mounted) -> None:
    mounted.wait_for_log(r"WARNING.*engine")
    waiting.until(lambda: _errno_of((mounted.path / "12" / "ABCDEF01").stat) == "EIO", "a kata nobody can know of")


def test_it_heals_by_itself(mounted: Mounted, engine: Engine) -> None:
    assert _errno_of((mounted.path / "12" / "ABCDEF01").mkdir) == "EIO"
    engine.start()
    waiting.until(
        lambda: _errno_of((mounted.path / "12" / "ABCDEF01").mkdir) in {"none", "EEXIST"}, "a kata to be made"
    )
    assert "12ABCDEF01" in engine.volumes()
    assert (_kata(mounted) / "file").read_text() == "known\n"


def test_after_an_outage_what_others_make_shows_up(mounted: Mounted, engine: Engine) -> None:
    engine.start()
    engine.cli("volume", "create", "ABCDEF0123")
    waiting.until(lambda: (mounted.path / "AB" / "CDEF0123").is_dir(), "the kata to be found")


def test_the_daemon_ends_as_ever_while_the_engine_is_away(mounted: Mounted) -> None:
    mounted.stop()
