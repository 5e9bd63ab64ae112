"""When idle processors are kept from sleeping: a file plays the kernel's, and then the kernel's own."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from katafs.fuse import processors
from katafs.fuse.processors import Processors
from tests.harness import needs
from tests.harness.cpu_latency import ANY, NONE


@pytest.fixture
def told(tmp_path: Path) -> Iterator[tuple[Processors, Path]]:
    """Processors, and what the kernel is told of them."""
    file = tmp_path / "cpu_dma_latency"
    with closing(Processors(os.open(file, os.O_WRONLY | os.O_CREAT))) as ours:
        yield ours, file


def test_they_are_awake_from_many_requests_in_a_moment_on_until_there_are_few(told: tuple[Processors, Path]) -> None:
    ours, file = told
    ours.note(15)
    assert (file.read_bytes(), ours.are_awake()) == (b"", False)
    ours.note(15 + 16)
    assert (file.read_bytes(), ours.are_awake()) == (NONE, True)
    ours.note(15 + 16 + 200)
    assert file.read_bytes() == NONE
    ours.note(15 + 16 + 200 + 4)
    assert file.read_bytes() == NONE
    ours.note(15 + 16 + 200 + 4 + 3)
    assert file.read_bytes() == NONE + ANY
    ours.note(1000)
    assert file.read_bytes() == NONE + ANY + NONE
    ours.note(0)
    assert file.read_bytes() == NONE + ANY + NONE + ANY


def test_where_the_kernel_may_not_be_told_nothing_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processors, "REQUESTS", str(tmp_path / "missing"))
    with closing(processors.machine()) as ours:
        ours.note(1000)
        assert ours.are_awake() is None

    assert list(tmp_path.iterdir()) == []


def test_a_kernel_that_refuses_is_asked_once(caplog: pytest.LogCaptureFixture) -> None:
    with closing(Processors(os.open("/dev/full", os.O_WRONLY))) as ours:
        for requests in (1000, 0, 1000):
            ours.note(requests)
        assert ours.are_awake() is None

    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_kernel_takes_it(caplog: pytest.LogCaptureFixture) -> None:
    needs.processors()
    with closing(processors.machine()) as ours:
        ours.note(1000)
        assert Path(processors.REQUESTS).read_bytes() == NONE
        ours.note(0)

    assert caplog.records == []
