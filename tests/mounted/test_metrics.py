"""Figures for Prometheus: off by default, on loopback alone, the same as the status and what was done."""

import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.harness.mounted import PROGRAM, Mounted
from tests.harness.mounts import Mounts
from tests.harness.programs import run
from tests.harness.status import status_of
from tests.harness.waiting import until

KATA = "123456789A"
ROUNDS = 100

Labels = frozenset[tuple[str, str]]
Figures = dict[tuple[str, Labels], float]


def url_of(mounted: Mounted) -> str:
    """Where the daemon's log says that its figures are."""
    found = re.search(r"http://\S+/metrics", mounted.log())
    assert found
    return found[0]


def figures_of(mounted: Mounted, query: str = "") -> Figures:
    """Every figure by its name and labels, as Prometheus' own parser reads them; or those that a query wants."""
    with urllib.request.urlopen(url_of(mounted) + query, timeout=30) as answer:
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def figure(figures: Figures, name: str, **labels: str) -> float:
    return figures.get((name, frozenset(labels.items())), 0.0)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_operations_durations_and_errors_are_those_that_were_done(mount: Mounts) -> None:
    mounted = mount("-o", "metrics=0")
    (mounted.path / KATA).mkdir()
    for number in range(ROUNDS):
        (mounted.path / KATA / f"f{number}").touch()
        with pytest.raises(FileExistsError):
            (mounted.path / KATA).mkdir()
        with pytest.raises(OSError, match="not empty"):
            (mounted.path / KATA).rmdir()

    shown = figures_of(mounted)

    assert figure(shown, "katafs_operations_total", operation="create") == ROUNDS
    assert figure(shown, "katafs_operation_duration_seconds_count", operation="create") == ROUNDS
    assert figure(shown, "katafs_operation_duration_seconds_bucket", operation="create", le="+Inf") == ROUNDS
    assert 0 < figure(shown, "katafs_operation_duration_seconds_sum", operation="create") < 60
    assert figure(shown, "katafs_errors_total", operation="rmdir", errno="ENOTEMPTY") == ROUNDS
    assert figure(shown, "katafs_operation_duration_seconds_count", operation="rmdir") == ROUNDS


def test_the_rest_is_as_in_the_status(mount: Mounts) -> None:
    mounted = mount("-o", "metrics=0")
    (mounted.path / KATA).mkdir()
    with (mounted.path / KATA / "file").open("w"):
        shown, status = figures_of(mounted), status_of(mounted.path)

    assert figure(shown, "katafs_katas") == status["katas"] == 1
    assert figure(shown, "katafs_volumes", state="idle") == status["volumes"]["idle"] == 2
    assert figure(shown, "katafs_open_files") == status["open_files"] == 1
    assert figure(shown, "katafs_nodes") == status["nodes"]
    assert figure(shown, "katafs_kept_descriptors") == status["kept_descriptors"]
    assert ("katafs_processors_awake", frozenset()) in shown
    assert figure(shown, "katafs_store_reachable") == 1
    assert figure(shown, "katafs_info", version=status["version"]) == 1
    assert figure(shown, "process_resident_memory_bytes") > 0


@pytest.mark.parametrize("name", ["katafs_katas", "katafs_operations_total", "process_open_fds"])
def test_who_asks_for_some_by_name_is_shown_those(mount: Mounts, name: str) -> None:
    mounted = mount("-o", "metrics=0")

    shown = figures_of(mounted, f"?name[]={name}&name[]=katafs_operation_duration_seconds_sum&name[]=unknown")

    assert {found for found, _ in shown} == {name, "katafs_operation_duration_seconds_sum"}


def test_a_store_that_is_gone_shows(mount: Mounts, disk: Path) -> None:
    mounted = mount("-o", "metrics=0")
    (disk / "volumes").rename(disk / "elsewhere")

    shown = figures_of(mounted)
    (disk / "elsewhere").rename(disk / "volumes")

    assert (figure(shown, "katafs_store_reachable"), figure(shown, "katafs_info", version="0")) == (0, 0)
    assert ("katafs_store_reachable", frozenset()) in shown


def test_they_are_on_loopback_alone(mount: Mounts) -> None:
    mounted = mount("-o", "metrics=0")
    port = int(url_of(mounted).split(":")[-1].split("/")[0])

    listening = run(["sh", "-c", "cat /proc/net/tcp /proc/net/tcp6"]).stdout
    local = [line.split()[1] for line in listening.splitlines() if line.split()[3] == "0A"]

    assert [address for address in local if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


def test_who_connects_and_says_nothing_takes_few_descriptors_and_not_for_long(mount: Mounts) -> None:
    """Every local user may connect."""
    mounted = mount("-o", "metrics=0")
    port = int(url_of(mounted).split(":")[-1].split("/")[0])
    descriptors = Path(f"/proc/{mounted.pid}/fd")
    before = len(list(descriptors.iterdir()))
    with ExitStack() as held:
        for _ in range(100):
            held.enter_context(socket.create_connection(("127.0.0.1", port)))
        until(lambda: before < len(list(descriptors.iterdir())) <= before + 10, "the others to be hung up on")
        until(lambda: len(list(descriptors.iterdir())) <= before, "those to be hung up on")

        assert figures_of(mounted)


def test_without_the_option_nobody_listens(mount: Mounts) -> None:
    mounted = mount()

    found = [path.readlink() for path in Path(f"/proc/{mounted.pid}/fd").iterdir()]

    assert [str(path) for path in found if str(path).startswith("socket:")] == []


def test_a_port_that_is_taken_is_one_clear_line_and_nothing_is_mounted(mount: Mounts, taken: int) -> None:
    mounted = mount("-o", f"metrics={taken}", ready=False)

    mounted.ended(status=1)

    assert mounted.log().splitlines()[-1] == f"katafs: metrics: port {taken} of 127.0.0.1: Address already in use"
    assert "Traceback" not in mounted.log()


def test_so_it_is_where_a_daemon_is_started(disk: Path, taken: int) -> None:
    for name in ("mnt", "volumes"):
        (disk / name).mkdir()

    options = ["--volumes", f"dir:{disk}/volumes", "--daemon", "-o", f"metrics={taken}"]
    refused = run([*PROGRAM, "mount", disk / "mnt", *options], status=1)

    assert f"port {taken} of 127.0.0.1: Address already in use" in refused.stderr


def test_the_library_is_loaded_only_where_they_are_shown() -> None:
    program = "import sys, katafs.cli.main, katafs.mount.session; print('prometheus_client' in sys.modules)"

    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "False\n"


def test_the_port_is_free_again_after_the_end(mount: Mounts) -> None:
    mounted = mount("-o", "metrics=0")
    port = int(url_of(mounted).split(":")[-1].split("/")[0])
    figures_of(mounted)
    mounted.stop()

    again = mount("-o", f"metrics={port}")

    assert url_of(again) == f"http://127.0.0.1:{port}/metrics"
