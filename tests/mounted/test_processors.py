"""Idle processors are kept from sleeping while a mount is asked much, and no longer."""

from pathlib import Path

import pytest

from tests.harness.cpu_latency import ANY, NONE
from tests.harness.faulty_katafs import telling
from tests.harness.mounted import Mounted
from tests.harness.mounts import Mounts
from tests.harness.status import status_of
from tests.harness.waiting import until


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """What the kernel would be told."""
    file = tmp_path / "cpu_dma_latency"
    file.touch()
    return file


def ask_much(mounted: Mounted) -> bool:
    """One request after another."""
    for _ in range(2000):
        mounted.path.stat()
    return True


def test_a_program_that_asks_much_keeps_processors_awake_while_it_does(told: Path, mount: Mounts) -> None:
    mounted = mount("-o", "timeout=0", program=telling(told))
    until(lambda: ask_much(mounted) and told.read_bytes().startswith(NONE), "processors to be kept awake")
    until(lambda: ask_much(mounted) and status_of(mounted.path)["processors_awake"], "the status to say so")
    until(lambda: told.read_bytes().endswith(ANY), "processors to be let sleep")
    assert status_of(mounted.path)["processors_awake"] is False


def test_with_noawake_it_does_not(told: Path, mount: Mounts) -> None:
    mounted = mount("-o", "timeout=0,noawake", program=telling(told))
    ask_much(mounted)

    assert told.read_bytes() == b""
    assert status_of(mounted.path)["processors_awake"] is None
