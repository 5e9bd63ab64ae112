"""Conversions into a Docker Engine that containers use and that goes away half-way."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from katafs.converter.target import Target
from katafs.volumes.docker_index import VolumeIndex
from tests.contract.stand_in import StandIn
from tests.harness import waiting
from tests.harness.crashes import Forked
from tests.harness.engine import Engine
from tests.harness.ext4_disks import MEMORY, ext4_disk
from tests.system.far_disks import around, once
from tests.system.old_disks import INNER, KATA, OUTER, convert, look, make_disk, rubbish, words
from tests.system.stores import InEngine

pytestmark = pytest.mark.xdist_group("docker")

KATAS = [f"{OUTER}{number:08X}" for number in range(30)]


@pytest.fixture
def store(engine: Engine) -> Iterator[InEngine]:
    """The engine without volumes, which will be running again afterwards."""
    store = InEngine(engine).emptied()
    yield store
    if not engine.runs:
        engine.start()
    store.emptied()


def test_a_volume_in_use_by_a_container_is_refused(store: InEngine, disk: Path) -> None:
    make_disk(disk / "katas")
    before = look(disk / "katas" / OUTER / INNER)
    mount = f"type=volume,source={KATA},target=/sandbox"
    container = store.engine.start_container("sleep", "600", mounts=[mount])
    try:
        finished = convert(disk / "katas", store.volumes, KATA, env=store.env, status=1)
    finally:
        store.engine.remove_container(container)
    assert finished.stderr == f"{KATA}: refused: volume {KATA} is in use by a container\n"
    assert look(disk / "katas" / OUTER / INNER) == before
    convert(disk / "katas", store.volumes, KATA, env=store.env)
    assert look(store.directory(KATA)) == before


@pytest.mark.parametrize("how", ["move", "copy"])
def test_a_volume_that_a_container_mounts_meanwhile_is_refused(store: InEngine, disk: Path, how: str) -> None:
    """The container would go on in a directory that is in no volume any more."""
    with ext4_disk(disk / "old", image_in=MEMORY) as other:
        source = (other if how == "copy" else disk) / "katas"
        make_disk(source)
        before = look(source / OUTER / INNER)
        begun = disk / "begun"
        told = threading.Event()

        def start_container() -> None:
            mount = f"type=volume,source={KATA},target=/sandbox"
            begun.write_text(store.engine.start_container("sleep", "600", mounts=[mount]))
            assert told.wait(60)

        def prepare() -> None:
            around(Target, "take", before=once(start_container))
            around(VolumeIndex, "mounted", after=lambda *_: told.set())

        running = Forked(words(source, store.volumes, KATA), disk / "out", store.env, prepare=prepare)
        try:
            assert running.ended() == 1
            assert f"{KATA}: refused: volume {KATA} is in use by a container\n" in running.output()
            store.engine.cli("exec", begun.read_text(), "touch", "/sandbox/x")
        finally:
            store.engine.remove_container(begun.read_text())
        assert look(source / OUTER / INNER) == before


def test_a_container_has_what_was_converted(store: InEngine, disk: Path) -> None:
    make_disk(disk / "katas")
    convert(disk / "katas", store.volumes, KATA, env=store.env)
    mount = f"type=volume,source={KATA},target=/kata"
    assert store.engine.run("cat", "/kata/lion/sandbox/cyber-dojo.sh", mounts=[mount]) == "make \n"


@pytest.mark.parametrize("how", ["move", "copy"])
def test_an_engine_that_goes_away_stops_the_run_and_a_later_one_finishes(store: InEngine, disk: Path, how: str) -> None:
    if how == "copy":
        with ext4_disk(disk / "old", image_in=MEMORY) as old:
            _outage(store, old / "katas", disk)
    else:
        _outage(store, disk / "katas", disk)


def _outage(store: InEngine, source: Path, scratch: Path) -> None:
    make_disk(source, *KATAS)
    befores = {kata: look(source / kata[:2] / kata[2:]) for kata in KATAS}
    running = Forked(words(source, store.volumes, "--all", "--rate", "10"), scratch / "out", store.env)
    waiting.until(lambda: len(os.listdir(source / OUTER)) < len(KATAS), "a kata to be converted")
    store.engine.stop()
    assert running.ended() == 3
    last = running.output().splitlines()[-1]
    assert last.startswith("katafs: ")
    assert "engine" in last.lower()
    left = {kata: look(source / kata[:2] / kata[2:]) for kata in KATAS}
    assert 0 < len([kata for kata in KATAS if left[kata] is None]) < len(KATAS)
    assert [kata for kata in KATAS if left[kata] not in (None, befores[kata])] == []

    store.engine.start()
    convert(source, store.volumes, env=store.env)
    assert [kata for kata in KATAS if look(store.directory(kata)) != befores[kata]] == []
    assert list(source.iterdir()) == []
    assert rubbish(store.directory(KATAS[0]).parent) == []


def test_an_engine_that_makes_no_volumes_stops_the_run(disk: Path) -> None:
    make_disk(disk / "katas")
    before = look(disk / "katas" / OUTER)
    with StandIn(disk / "sock") as engine:
        engine.refusal = "no space for volumes"
        finished = convert(disk / "katas", "docker", status=3, env={"DOCKER_HOST": engine.url})
    assert "no space for volumes" in finished.stderr.splitlines()[-1]
    assert look(disk / "katas" / OUTER) == before


def test_no_engine_at_all_is_said(disk: Path) -> None:
    make_disk(disk / "katas")
    before = look(disk / "katas")
    finished = convert(disk / "katas", "docker", status=3, env={"DOCKER_HOST": f"unix://{disk}/none"})
    assert finished.stderr.startswith("katafs: ")
    assert len(finished.stderr.splitlines()) == 1
    assert look(disk / "katas") == before


def test_sigterm_stops_between_two_katas(disk: Path, store: InEngine) -> None:
    make_disk(disk / "katas", *KATAS)
    running = Forked(words(disk / "katas", store.volumes, "--all", "--rate", "10"), disk / "out", store.env)
    waiting.until(lambda: len(os.listdir(disk / "katas" / OUTER)) < len(KATAS), "a kata to be converted")
    running.signal(signal.SIGTERM)
    assert running.ended() == -signal.SIGTERM
    assert "stopped by a signal: the rest is left for the next run\n" in running.output()
    left = len(list((disk / "katas" / OUTER).glob("????????")))
    assert 0 < left < len(KATAS)
    assert len(store.names()) == len(KATAS) - left + 1
