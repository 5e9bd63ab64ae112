"""`.katafs/accesslog`: a line for each operation while somebody reads it, and nothing lost without a word."""

import json
import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from katafs.mount.access_log import MOST_LINES
from tests.harness import needs
from tests.harness.access_log import LogReader, parsed, reading
from tests.harness.mounts import Mounts
from tests.harness.programs import NOBODY
from tests.harness.status import status_of
from tests.mounted.conftest import Serve

KATA = "123456789A"
WORKERS = 4
ROUNDS = 150


def work(directory: Path) -> None:
    """`ROUNDS` times: a file is made, renamed and removed."""
    directory.mkdir()
    for number in range(ROUNDS):
        (directory / f"f{number}").touch()
        (directory / f"f{number}").rename(directory / f"g{number}")
        (directory / f"g{number}").unlink()


def test_under_load_there_is_a_line_for_each_operation_and_the_status_counts_the_same(
    mount: Mounts, disk: Path
) -> None:
    path = mount().path
    (path / KATA).mkdir()
    with reading(path, disk / "log") as reader:
        before = status_of(path)["operations"]
        with ThreadPoolExecutor(WORKERS) as workers:
            list(workers.map(work, [path / KATA / f"d{number}" for number in range(WORKERS)]))
        after = status_of(path)["operations"]
        lines = reader.catch_up()

    operations = ("create", "rename", "unlink", "mkdir")
    logged = Counter(line["operation"] for line in lines)
    wanted = {"create": WORKERS * ROUNDS, "rename": WORKERS * ROUNDS, "unlink": WORKERS * ROUNDS, "mkdir": WORKERS}
    assert {name: logged[name] for name in operations} == wanted
    assert {name: after[name] - before.get(name, 0) for name in operations} == wanted
    created = [line["path"] for line in lines if line["operation"] == "create"]
    assert len(set(created)) == WORKERS * ROUNDS
    assert f"/{KATA}/d0/f0" in created


def make_as_nobody(path: Path) -> int:
    """Make a file; who did."""
    path.touch()
    return os.getpid()


def test_a_line_says_who_did_what_where_and_with_which_result(serve: Serve, disk: Path) -> None:
    needs.root()
    served = serve()
    kata = served.make(KATA)
    kata.chmod(0o777)
    with reading(served.top, disk / "log") as reader:
        pid = NOBODY.call(make_as_nobody, kata / "odd name")
        (kata / "odd name").rename(kata / "b")
        with pytest.raises(FileNotFoundError):
            (kata / "none").stat()
        lines = reader.catch_up()

    (made,) = [line for line in lines if line["operation"] == "create"]
    assert (made["uid"], made["pid"], made["kata"]) == (str(NOBODY.uid), str(pid), KATA)
    assert (made["path"], made["errno"], "to" in made) == (f"/{KATA}/odd name", "0", False)
    (moved,) = [line for line in lines if line["operation"] == "rename"]
    assert (moved["path"], moved["to"], moved["uid"]) == (f"/{KATA}/odd name", f"/{KATA}/b", "0")
    (missing,) = [line for line in lines if line.get("path") == f"/{KATA}/none"]
    assert (missing["operation"], missing["errno"]) == ("lookup", "ENOENT")
    assert all(int(line["us"]) >= 0 and line["time"].endswith("Z") for line in lines)


def test_what_belongs_to_no_kata_has_none(mount: Mounts, disk: Path) -> None:
    path = mount().path
    with reading(path, disk / "log") as reader:
        (path / "readme").touch()
        lines = reader.catch_up()

    assert [line["kata"] for line in lines if line["operation"] == "create"] == ["-"]


def test_a_name_stays_in_its_line(mount: Mounts, disk: Path) -> None:
    path = mount().path
    name = b'new\nline "quoted" \xff uid=0'
    with reading(path, disk / "log") as reader:
        os.close(os.open(os.path.join(os.fsencode(path), name), os.O_CREAT))
        reader.catch_up()
        (line,) = [line for line in (disk / "log").read_text().split("\n") if "operation=create" in line]

    shown, _ = json.JSONDecoder().raw_decode(line.partition(" path=")[2])
    assert os.fsencode(shown) == b"/" + name


def test_several_read_the_same(mount: Mounts, disk: Path) -> None:
    path = mount().path
    with reading(path, disk / "one") as one, reading(path, disk / "two") as two:
        (path / KATA).mkdir()
        lines = [[line for line in each.catch_up() if line["operation"] == "mkdir"] for each in (one, two)]

    assert lines[0] == lines[1]
    assert len(lines[0]) == 1


def test_one_that_leaves_takes_nothing_from_the_others(mount: Mounts, disk: Path) -> None:
    path = mount().path
    with reading(path, disk / "one") as one:
        with reading(path, disk / "two"):
            pass
        (path / KATA).mkdir()
        lines = one.catch_up()

    assert [line["path"] for line in lines if line["operation"] == "mkdir"] == [f"/{KATA}"]


def test_one_that_does_not_read_loses_lines_and_is_told_how_many(mount: Mounts) -> None:
    path = mount("-o", "timeout=60").path
    more = MOST_LINES + 1000
    with (path / ".katafs" / "accesslog").open("rb", buffering=0) as log:
        for number in range(more):
            assert not os.path.lexists(path / f"none-{number}")
        text = b""
        while b" lost=" not in text:
            text += log.read(1 << 20)

    *lines, lost = [parsed(line) for line in text.decode().splitlines()]
    assert len(lines) == MOST_LINES
    looked_up = [line["path"] for line in lines if line["path"].startswith("/none-")]
    assert looked_up == [f"/none-{number}" for number in range(len(looked_up))]
    assert more - len(looked_up) <= int(lost["lost"]) <= more - len(looked_up) + 10


def test_a_small_reading_gets_the_rest_next_time(mount: Mounts) -> None:
    path = mount().path
    with (path / ".katafs" / "accesslog").open("rb", buffering=0) as log:
        (path / KATA).mkdir()
        text = b""
        while b"operation=mkdir" not in text or not text.endswith(b"\n"):
            text += log.read(7)

    assert all(line.startswith("time=") for line in text.decode().splitlines())


def test_reading_it_is_not_an_operation_of_its_own(mount: Mounts, disk: Path) -> None:
    path = mount().path
    with reading(path, disk / "log") as reader:
        (path / KATA).mkdir()
        reader.catch_up()
        reader.catch_up()
        lines = reader.lines()

    assert [line for line in lines if line["operation"] in ("read", "open", "release")] == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_reader_that_waits_can_be_stopped(mount: Mounts, disk: Path, how: signal.Signals) -> None:
    path = mount().path
    reader = LogReader(path, disk / "log")

    reader.process.send_signal(how)

    reader.process.communicate(timeout=30)
    assert reader.process.returncode == -how


def test_the_end_of_the_mount_ends_its_readers(mount: Mounts, disk: Path) -> None:
    mounted = mount()
    reader = LogReader(mounted.path, disk / "log")

    mounted.signal(signal.SIGTERM)

    mounted.ended()
    _, said = reader.process.communicate(timeout=30)
    assert reader.process.returncode == 1
    assert b"accesslog" in said
