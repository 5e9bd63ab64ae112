"""`katafs status` and `.katafs/status.json`: they agree with what was done, and say what is wrong."""

import json
import os
import re
import shutil
import signal
from pathlib import Path

import pytest

from katafs import __version__
from tests.harness import needs
from tests.harness.mounted import PROGRAM
from tests.harness.mounts import Mounts
from tests.harness.other_mounts import memory_disk
from tests.harness.programs import NOBODY, run
from tests.harness.status import katafs_status, status_of
from tests.harness.waiting import until
from tests.mounted.conftest import Serve

KATA = "123456789A"
ROUNDS = 200


def rounds(directory: Path, count: int) -> None:
    """Known operations, `count` of each: a file is made, written, renamed and removed, and a name isn't there."""
    for number in range(count):
        file = directory / f"f{number}"
        file.write_bytes(b"x")
        file.rename(directory / f"g{number}")
        (directory / f"g{number}").unlink()
        assert not (directory / f"none{number}").exists()


def test_operations_are_those_that_were_done(mount: Mounts) -> None:
    path = mount("-o", "timeout=60").path
    (path / KATA).mkdir()
    before = status_of(path)["operations"]
    rounds(path / KATA, ROUNDS)

    after = status_of(path)["operations"]

    done = {name: after[name] - before.get(name, 0) for name in ("create", "rename", "unlink", "mkdir")}
    assert done == {"create": ROUNDS, "rename": ROUNDS, "unlink": ROUNDS, "mkdir": 0}


def test_errors_are_those_that_were_answered(mount: Mounts) -> None:
    path = mount().path
    (path / KATA).mkdir()
    (path / KATA / "full").mkdir()
    (path / KATA / "full" / "file").touch()
    before = status_of(path)["errors"]
    for number in range(5):
        assert not (path / KATA / f"none{number}").exists()
        with pytest.raises(OSError, match="not empty"):
            (path / KATA / "full").rmdir()

    after = status_of(path)["errors"]

    assert after["rmdir"] == {"ENOTEMPTY": 5}
    assert after["lookup"]["ENOENT"] - before["lookup"]["ENOENT"] == 5


def test_open_files_and_nodes_come_and_go(mount: Mounts) -> None:
    path = mount().path
    (path / KATA).mkdir()
    files = [(path / KATA / f"f{number}").open("w") for number in range(7)]

    opened = status_of(path)
    for file in files:
        file.close()

    # Not counted are the file that says it and its directory. The kernel sends RELEASE after close has returned.
    assert (opened["open_files"], opened["open_directories"]) == (7, 0)
    assert opened["nodes"] >= 9
    until(lambda: status_of(path)["open_files"] == 0, "every file to be released")


def test_kept_descriptors_are_counted_as_they_are_used(mount: Mounts) -> None:
    path = mount("-o", "timeout=0").path
    (path / KATA).mkdir()
    before = status_of(path)
    for number in range(20):
        (path / KATA / f"f{number}").touch()

    after = status_of(path)

    assert after["kept_descriptor_hits"] - before["kept_descriptor_hits"] >= 20
    assert after["kept_descriptor_misses"] < 20


def test_katas_volumes_and_options(mount: Mounts, disk: Path) -> None:
    path = mount("--prefix", "p-", "-o", "timeout=2").path
    (path / KATA).mkdir()

    shown = status_of(path)

    assert (shown["katas"], shown["volumes"]) == (1, {"total": 2, "live": 0, "idle": 2})
    assert (shown["options"]["prefix"], shown["options"]["timeout"]) == ("p-", 2)
    assert (shown["version"], shown["mount_point"]) == (__version__, str(path))
    assert shown["store"] == {"url": f"dir:{disk}/volumes", "reachable": True, "fault": None, "last_error": None}


def test_a_kata_that_is_on_the_old_disk_and_in_a_volume_counts_once(mount: Mounts, disk: Path) -> None:
    needs.root()
    for kata in (disk / "old" / KATA[:2] / KATA[2:], disk / "volumes" / KATA):  # as `convert --keep` leaves it
        kata.mkdir(parents=True)

    shown = status_of(mount("--legacy", str(disk / "old")).path)

    assert (shown["katas"], shown["volumes"]["total"]) == (1, 2)


def test_a_store_that_is_gone_is_told_and_what_it_last_failed_with(serve: Serve) -> None:
    served = serve("-o", "timeout=0")
    served.mounted.expect("is gone")
    elsewhere = served.store.rename(served.store.with_name("elsewhere"))
    with pytest.raises(OSError, match="Input/output error"):
        (served.top / KATA).stat()
    gone = status_of(served.top)["store"]
    said = katafs_status(served.top, status=3).stdout
    elsewhere.rename(served.store)

    assert not gone["reachable"]
    assert "is gone" in gone["fault"]
    assert "is gone" in gone["last_error"]["text"]
    assert "UNREACHABLE: the directory of volumes" in said
    again = status_of(served.top)["store"]
    assert (again["reachable"], again["last_error"]) == (True, gone["last_error"])


def test_a_root_volume_that_was_removed_is_told(serve: Serve) -> None:
    served = serve()
    shutil.rmtree(served.root_volume)
    told = status_of(served.top)["store"]
    said = katafs_status(served.top, status=3).stdout

    assert not told["reachable"]
    assert told["fault"] == (
        "the root volume katafs_root was removed while it was mounted: restore it, and mount again"
    )
    assert f"UNREACHABLE: {told['fault']}" in said


def test_the_top_is_not_listed_without_what_a_removed_root_volume_held(serve: Serve) -> None:
    """A backup would take it for deleted, also when it is back in a volume that isn't mounted."""
    served = serve()
    (served.top / "readme.txt").write_text("stray")
    (served.top / KATA).mkdir()
    kept = served.root_volume.with_name("kept")
    shutil.copytree(served.root_volume, kept)
    shutil.rmtree(served.root_volume)
    kept.rename(served.root_volume)
    served.mounted.expect("the root volume katafs_root was removed")

    with pytest.raises(OSError, match="Input/output error"):
        os.listdir(served.top)
    assert (served.top / KATA).is_dir()


def test_the_command_prints_lines_or_the_file(mount: Mounts) -> None:
    path = mount().path
    (path / KATA).mkdir()

    lines = dict(line.split("\t") for line in katafs_status(path).stdout.splitlines())
    shown = json.loads(katafs_status(path, "--json").stdout)

    assert lines["katas"] == "1"
    assert lines["store"].endswith(", reachable")
    assert lines["processors"].startswith(("kept awake", "sleep as they like"))
    assert "mkdir=1" in lines["operations"].split()
    assert {"read_only=false", 'prefix=""'} <= set(lines["options"].split())
    assert shown.keys() == status_of(path).keys()


def test_a_link_to_a_mount_will_do(mount: Mounts, disk: Path) -> None:
    path = mount().path
    (disk / "link").symlink_to("mnt")

    assert katafs_status(disk / "link").stdout.startswith(f"mounted\t{path}, ")


def test_a_narrow_terminal_cuts_nothing(mount: Mounts) -> None:
    path = mount().path

    shown = run([*PROGRAM, "status", path], env={"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "20"}).stdout

    assert "…" not in shown
    assert f"mounted{path},katafs" in "".join(re.sub("\x1b\\[[0-9;]*m", "", shown).split())
    assert "processors" in shown


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("missing", "No such file or directory"),
        ("bare", "nothing is mounted there"),
        ("file", "nothing is mounted there"),
    ],
)
def test_what_is_no_mount_is_4_and_one_line(disk: Path, what: str, said: str) -> None:
    (disk / "bare").mkdir()
    (disk / "file").touch()

    assert katafs_status(disk / what, status=4).stderr == f"katafs: {disk}/{what}: {said}\n"


def test_another_file_system_is_4(disk: Path) -> None:
    needs.root()
    (disk / "other").mkdir()
    with memory_disk(disk / "other"):
        assert "something else than katafs is mounted there" in katafs_status(disk / "other", status=4).stderr


def test_a_dead_daemon_is_4(mount: Mounts) -> None:
    mounted = mount()
    mounted.kill()

    assert "a dead daemon left its mount there" in katafs_status(mounted.path, status=4).stderr


def test_a_daemon_that_hangs_is_4(mount: Mounts) -> None:
    mounted = mount()
    mounted.signal(signal.SIGSTOP)
    try:
        refused = katafs_status(mounted.path, status=4)
    finally:
        mounted.signal(signal.SIGCONT)

    assert "doesn't answer" in refused.stderr


def test_an_ordinary_user_is_told_who_may_ask(mount: Mounts) -> None:
    needs.root()
    path = mount().path

    through = ("setpriv", f"--reuid={NOBODY.uid}", f"--regid={NOBODY.gid}", "--clear-groups")
    assert "only root, or who mounted it, may ask it" in katafs_status(path, status=1, through=through).stderr


def test_a_volumes_own_directory_is_not_taken_for_it(serve: Serve) -> None:
    served = serve()
    (served.root_volume / ".katafs").mkdir()
    (served.root_volume / ".katafs" / "status.json").write_text('{"store": {"reachable": true}}')

    assert "hides the daemon's own" in katafs_status(served.top, status=4).stderr
    assert os.listdir(served.top / ".katafs") == ["status.json"]
