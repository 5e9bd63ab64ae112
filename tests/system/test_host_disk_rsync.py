"""Katas on the move between servers: an rsync daemon, and pipes of one outer dir at a time."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.harness import waiting
from tests.harness.programs import User, as_user, run
from tests.system.facts import Facts, differences, every_path, tree_facts
from tests.system.host_disk import KATA, Twins, comparable

SERVER_UID = 19661
LONG_AGO_NS = 1_472_464_800_123_456_789
"""rsync compares whole seconds, and so leaves a directory alone that it made in the same second as its source."""

_CONFIGURATION = """
use chroot = yes
log file = {log}
pid file = {pid}
[katas]
path = {katas}
uid = 19661
gid = 19661
read only = {read_only}
"""


@pytest.fixture
def server_user() -> User:
    """Whom the katas belong to: the user that the rsync daemon becomes."""
    return as_user(SERVER_UID, SERVER_UID)


@contextmanager
def _served(katas: Path, work: Path, *, read_only: bool) -> Iterator[str]:
    """An rsync daemon that serves one root of katas; the URL of its module."""
    place = work / f"rsyncd-{katas.name}"
    place.mkdir()
    configuration = place / "rsyncd.conf"
    choice = "yes" if read_only else "no"
    text = _CONFIGURATION.format(katas=katas, log=place / "log", pid=place / "pid", read_only=choice)
    configuration.write_text(text)
    daemon, url = _started(configuration)
    try:
        yield f"{url}/katas"
    finally:
        daemon.terminate()
        daemon.wait(30)


def _started(configuration: Path) -> tuple[subprocess.Popen[bytes], str]:
    """An rsync daemon that answers, and its URL. Its port was free a moment before: where it has been taken meanwhile,
    another one is tried."""
    for _ in range(5):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        where = ["--address=127.0.0.1", f"--port={port}", f"--config={configuration}"]
        daemon = subprocess.Popen(["rsync", "--daemon", "--no-detach", *where], stdin=subprocess.DEVNULL)
        url = f"rsync://127.0.0.1:{port}"
        waiting.until(partial(_ended_or_answers, daemon, url), "the rsync daemon to answer")
        if daemon.poll() is None:
            return daemon, url
    raise AssertionError(f"no rsync daemon starts with {configuration.read_text()}")


def _ended_or_answers(daemon: subprocess.Popen[bytes], url: str) -> bool:
    return daemon.poll() is not None or run(["rsync", url], status=None).status == 0


@pytest.fixture
def populated(twins: Twins) -> Twins:
    """Two katas, one of them with an avatar and some tags."""
    twins.succeed(lambda server: server.create_kata() + server.create_kata("34ABCDEF01") + server.start_avatar())
    for tag in (1, 2):
        twins.succeed(lambda server, tag=tag: server.test_run(tag, {"hiker.py": f"answer = {tag}\n"}))  # type: ignore[misc]
    for server in (twins.disk, twins.mounted):
        for path in every_path(server.katas):
            os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS), follow_symlinks=False)
    return twins


def _moved(facts: dict[bytes, Facts]) -> dict[bytes, tuple[str, str, int, str]]:
    """What another server gets: contents, and the modes that its options and umask give them."""
    return {
        path: (fact.kind, fact.content, fact.size_bytes if fact.kind == "-" else 0, fact.mode)
        for path, fact in facts.items()
    }


def _times(facts: dict[bytes, Facts]) -> dict[bytes, int]:
    return {path: fact.mtime_ns for path, fact in facts.items()}


@pytest.mark.parametrize("options", [["-rtv"], ["-gpotr"], ["-avzP", "--stats"]], ids=" ".join)
def test_another_server_fetches_from_the_mount(populated: Twins, disk: Path, options: list[str]) -> None:
    fetched = {}
    for server in (populated.disk, populated.mounted):
        place = disk / f"fetched-{server.katas.name}"
        place.mkdir()
        with _served(server.katas, disk, read_only=True) as url:
            finished = run(["rsync", *options, url, "."], cwd=place)
        assert finished.stderr == ""
        fetched[server] = place
        assert differences(_times(tree_facts(server.katas)), _times(tree_facts(place))) == ""
    wanted, found = (_moved(comparable(place)) for place in fetched.values())
    assert differences(wanted, found) == ""


@pytest.mark.parametrize("options", [["-rtv"], ["-gpotr"], ["-avzP", "--stats"]], ids=" ".join)
def test_the_mount_fetches_from_another_server(populated: Twins, disk: Path, options: list[str]) -> None:
    source = populated.disk.katas
    populated.mounted.shell("rm -rf *")
    plain = disk / "fetched"
    plain.mkdir()
    with _served(source, disk, read_only=True) as url:
        for place in (plain, populated.mounted.katas):
            assert run(["rsync", *options, url, "."], cwd=place).stderr == ""
        again = run(["rsync", *options, "--itemize-changes", url, "."], cwd=populated.mounted.katas).stdout
    assert differences(_moved(tree_facts(plain)), _moved(tree_facts(populated.mounted.katas))) == ""
    assert differences(_times(tree_facts(plain)), _times(tree_facts(populated.mounted.katas))) == ""
    assert not [line for line in again.splitlines() if line.startswith((">", "c"))]


def test_another_server_sends_to_the_mount(populated: Twins, disk: Path) -> None:
    source = populated.disk.katas
    populated.mounted.shell("rm -rf *")
    with _served(populated.mounted.katas, disk, read_only=False) as url:
        assert run(["rsync", "-rtv", f"{source}/", url]).stderr == ""
    found = tree_facts(populated.mounted.katas)
    assert {fact.uid for fact in found.values()} == {SERVER_UID}
    assert differences(_times(tree_facts(source)), _times(found)) == ""


def test_a_second_transfer_moves_nothing(populated: Twins, disk: Path) -> None:
    with _served(populated.mounted.katas, disk, read_only=True) as url:
        place = disk / "fetched"
        place.mkdir()
        run(["rsync", "-rtv", url, "."], cwd=place)
        assert run(["rsync", "-rtni", url, "."], cwd=place).stdout == ""


def test_one_outer_dir_at_a_time_through_a_pipe(populated: Twins, disk: Path) -> None:
    place = disk / "piped"
    place.mkdir()
    os.chown(place, SERVER_UID, SERVER_UID)
    for outer in sorted(os.listdir(populated.mounted.katas)):
        populated.mounted.shell(f"tar -c {outer} | tar -x -p -C {place}")
    populated.mounted.shell(f"rm -rf * && tar -C {place} -c . | tar -x -p")
    assert os.path.isdir(populated.mounted.katas / KATA[:2] / KATA[2:])
    populated.assert_same_trees()
