"""Containers come and go: the kernel keeps nothing of their volumes from the first one's coming to the last one's end,
whatever becomes of the connection to the engine, and then keeps things again. Shown by counts of requests."""

import mmap
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest

from tests.harness import needs
from tests.harness.counted_katafs import counted
from tests.harness.directory_engine import DirectoryEngine
from tests.harness.faulty_katafs import gated
from tests.harness.mounts import Mounts
from tests.harness.waiting import until
from tests.mounted.live import LASTING, Counted, fill, serving
from tests.mounted.served import fresh_id


@pytest.fixture
def counted_live(disk: Path) -> Iterator[Counted]:
    """Such a mount, nobody else's."""
    with serving(counted(disk / "requests")) as live:
        yield Counted(live, disk / "requests")


def test_when_the_last_container_leaves_the_kernel_keeps_things_again(counted_live: Counted) -> None:
    live = counted_live.live
    kata = live.make()
    fill(kata)
    until(lambda: counted_live.of_ten_looks(kata) == 0, "no request")
    containers = [live.enter(kata), live.engine.mount(kata.name)]

    for container in containers:
        assert counted_live.of_ten_looks(kata) >= 40  # at least d twice, g and absent, each time
        live.engine.unmount(container)
    until(lambda: counted_live.of_ten_looks(kata) == 0, "no request")


@pytest.fixture
def engine(disk: Path) -> Iterator[DirectoryEngine]:
    """An engine that nobody follows yet; the mounts of `mount` end before it."""
    with DirectoryEngine(disk) as engine:
        yield engine


def test_a_daemon_that_is_started_while_containers_run_knows_of_them(engine: DirectoryEngine, mount: Mounts) -> None:
    behind = engine.make(kata := fresh_id())
    engine.mount(kata)
    shown = mount("-o", LASTING, volumes="docker", env=engine.env).path / kata
    for number in range(20):
        (behind / "f").write_text("x" * number)

        assert (shown / "f").stat().st_size == number
        assert not (shown / f"{number}").exists()
        (behind / f"{number}").touch()
        assert (shown / f"{number}").exists()


def test_a_daemon_that_is_started_while_a_container_starts_knows_of_it(engine: DirectoryEngine, mount: Mounts) -> None:
    """Such a container isn't among those that run, and its mounting may be some seconds ago."""
    behind = engine.make(kata := fresh_id())
    engine.have_begun_to_mount(kata, seconds=5)
    (behind / "f").touch()
    shown = mount("-o", LASTING, volumes="docker", env=engine.env).path / kata

    def changes_show() -> bool:
        size = (shown / "f").stat().st_size + 1
        (behind / "f").write_text("x" * size)
        return (shown / "f").stat().st_size == size

    # Several times, since somebody may just then make the kernel drop all that it keeps (drop_caches).
    until(lambda: all(changes_show() for _ in range(20)), "the container to be noticed")


def test_who_came_while_the_engine_was_not_heard_is_asked_for_anew(counted_live: Counted) -> None:
    live = counted_live.live
    came, left, stayed = live.make(), live.make(), live.make()
    for kata in (came, left, stayed):
        fill(kata)
    leaving = live.enter(left)
    live.mounted.expect("lost the engine")
    with live.engine.deaf():
        live.mounted.wait_for_log("lost the engine")
        live.engine.mount(came.name)
        live.engine.unmount(leaving)
    live.mounted.wait_for_log("answers again")
    (came.behind / "f").write_text("longer")

    until(lambda: (came.shown / "f").stat().st_size == 6, "the container's change")
    until(lambda: counted_live.of_ten_looks(left) == 0, "no request")
    until(lambda: counted_live.of_ten_looks(stayed) == 0, "no request")
    assert counted_live.of_ten_looks(came) >= 40


def test_what_is_kept_of_other_volumes_stays(counted_live: Counted) -> None:
    live = counted_live.live
    other = live.make()
    fill(other)

    def stays() -> bool:
        counted_live.of_ten_looks(other)
        live.enter(live.make())
        return counted_live.of_ten_looks(other) == 0

    until(stays, "no request, unless somebody else makes the kernel drop all that it keeps just then")


def test_a_name_that_is_told_in_the_moment_when_a_container_comes_is_not_kept(disk: Path) -> None:
    """It was looked up before, and the reply comes to the kernel after it has been told to drop the name."""
    # A kernel that forgets names instead has every other one in the directory looked up behind the one that waits.
    needs.expired_names()
    gate = disk / "gate"
    with serving(gated("reply", gate)) as live:
        kata = live.make()
        (kata.behind / "gated").touch()
        with (kata.shown / "gated").open():  # so that the file itself is there to be asked for, whatever has its name
            live.engine.unmount(live.enter(kata))  # so that the kernel knows the name and has to look it up again
            live.until_kept(kata)
            (disk / "gate.closed").touch()
            looking = Thread(target=os.lstat, args=[kata.shown / "gated"])
            looking.start()
            until((disk / "gate.reached").exists, "the lookup to have its answer")
            live.enter(kata)
            (disk / "gate.open").touch()
            looking.join(60)
            (kata.behind / "gated").rename(kata.behind / "renamed")
            (kata.behind / "gated").write_text("another")

            until(lambda: (kata.shown / "gated").stat().st_size == 7, "the name to be looked up anew")


def test_the_second_of_two_containers_may_still_write(counted_live: Counted) -> None:
    live = counted_live.live
    kata = live.make()
    first = live.enter(kata)
    live.engine.mount(kata.name)
    live.engine.unmount(first)
    later = live.make()
    live.enter(later)  # so that by now the first one's end has been heard of
    for number in range(20):
        (kata.behind / "f").write_text("x" * number)

        assert (kata.shown / "f").stat().st_size == number


def test_a_mapping_shows_at_once_what_a_container_writes(counted_live: Counted) -> None:
    """Past the file's times: a container's own mapping changes none after the first write."""
    needs.passthrough()
    live = counted_live.live
    kata = live.make()
    fill(kata)
    live.enter(kata)
    with ExitStack() as ends:
        inside = ends.enter_context((kata.behind / "f").open("r+b"))
        outside = ends.enter_context((kata.shown / "f").open("rb"))
        written = ends.enter_context(mmap.mmap(inside.fileno(), 3))
        shown = ends.enter_context(mmap.mmap(outside.fileno(), 3, prot=mmap.PROT_READ))
        for number in range(100, 200):
            written[:] = b"%d" % number

            assert shown[:] == b"%d" % number == os.pread(outside.fileno(), 3, 0)
