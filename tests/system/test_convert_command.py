"""`katafs convert` as an operator meets it: which katas it takes, what it prints and reports, how it stops."""

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import needs, waiting
from tests.harness.few_threads import with_threads
from tests.harness.other_mounts import bound
from tests.harness.programs import DEADLINE_S, Finished, run
from tests.system.old_disks import (
    KATA,
    OUTER,
    STRAYS,
    attributes,
    convert,
    look,
    look_untouched,
    make_disk,
    make_kata,
    words,
)

KATAS = [f"{outer}{number:08X}" for outer in ("12", "AB") for number in range(6)]


class Old:
    """An old disk with a dozen katas in two outer directories, and an empty store."""

    def __init__(self, directory: Path) -> None:
        self.disk, self.volumes, self.report = directory / "katas", directory / "volumes", directory / "report.jsonl"
        make_disk(self.disk, *KATAS)
        self.volumes.mkdir()

    def convert(self, *arguments: str, status: int = 0) -> Finished:
        return convert(self.disk, self.volumes, *arguments, status=status)

    def left(self) -> list[str]:
        return sorted(f"{path.parent.name}{path.name}" for path in self.disk.glob("??/????????"))

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "katafs", *words(self.disk, self.volumes, *arguments)]

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.report.read_text().splitlines()]


@pytest.fixture
def old(disk: Path) -> Old:
    """One for each test."""
    needs.root()
    return Old(disk)


def test_ids_convert_these_alone(old: Old) -> None:
    finished = old.convert(KATAS[0], KATAS[7], KATAS[0])
    assert finished.stdout.startswith("moved 2; ")
    assert old.left() == [kata for kata in KATAS if kata not in (KATAS[0], KATAS[7])]


def test_outer_converts_one_outer_directory_whole(old: Old) -> None:
    before = attributes(old.disk / "12")
    old.convert("--outer", "12")
    assert sorted(os.listdir(old.disk)) == [".katafs-lock", "AB", "readme.txt"]
    assert old.left() == KATAS[6:]
    assert attributes(old.volumes / "katafs_root" / "12") == before
    assert (old.volumes / "katafs_root" / STRAYS[1]).exists()


def test_a_sample_converts_so_many(old: Old) -> None:
    old.convert("--sample", "5")
    assert len(old.left()) == 7
    old.convert("--sample", "100")
    assert old.left() == []
    assert (old.disk / "readme.txt").exists()


def test_all_converts_strays_and_empty_outer_directories_too(old: Old) -> None:
    (old.disk / "CD").mkdir(0o700)
    outers = {name: attributes(old.disk / name) for name in ("", "12", "AB", "CD")}
    # Making CD has changed the top's mtime, which is what it is now.
    old.convert("--all")
    root = old.volumes / "katafs_root"
    assert list(old.disk.iterdir()) == []
    assert {name: attributes(root / name) for name in outers} == outers
    assert all((root / stray).read_bytes() == b"stray\n" for stray in STRAYS)


def test_many_strays_at_once_leave_their_directory_its_times(old: Old) -> None:
    for number in range(40):
        (old.disk / f"stray-{number}").write_text("")
        (old.disk / "12" / f"stray-{number}").write_text("")
    kept = attributes(old.disk), attributes(old.disk / "12")
    old.convert("--all", "--jobs", "8")
    root = old.volumes / "katafs_root"
    assert (attributes(root), attributes(root / "12")) == kept
    assert len(list(root.glob("**/stray-*"))) == 80


def test_keep_leaves_the_disk_and_a_second_run_takes_its_later_state(old: Old) -> None:
    before = look(old.disk / "12" / KATAS[0][2:])
    assert old.convert("--keep", KATAS[0]).stdout.startswith("kept 1; ")
    assert look(old.disk / "12" / KATAS[0][2:]) == before == look_untouched(old.volumes / KATAS[0])
    (old.disk / "12" / KATAS[0][2:] / "new").write_text("later\n")
    old.convert("--keep", KATAS[0])
    old.convert(KATAS[0])
    assert (old.volumes / KATAS[0] / "new").read_text() == "later\n"
    assert not (old.disk / "12" / KATAS[0][2:]).exists()


def test_a_copy_that_was_kept_and_then_used_is_not_replaced(old: Old) -> None:
    old.convert("--keep", KATAS[0])
    (old.volumes / KATAS[0] / "work").write_text("somebody's\n")
    (old.disk / "12" / KATAS[0][2:] / "new").write_text("later\n")

    for options in ([], ["--keep"]):
        refused = old.convert(*options, KATAS[0], status=1)
        assert refused.stderr.startswith(f"{KATAS[0]}: refused: volume {KATAS[0]} holds something else already, ")
    assert (old.volumes / KATAS[0] / "work").read_text() == "somebody's\n"
    assert (old.disk / "12" / KATAS[0][2:] / "new").exists()


def test_a_dry_run_changes_nothing(old: Old) -> None:
    before, atime = look(old.disk), (old.disk / "12").stat().st_ctime_ns
    finished = old.convert("--all", "--dry-run", "--report", str(old.report))
    assert finished.stdout.startswith(f"would-convert {len(KATAS) + 2}; ")
    assert {line["outcome"] for line in old.lines()} == {"would-convert"}
    # Who names the wrong directory sees by it that what is there would be strays.
    assert set(finished.stderr.splitlines()) >= {f"{stray}: would-convert: belongs to no kata" for stray in STRAYS}
    assert look(old.disk) == before
    assert (old.disk / "12").stat().st_ctime_ns == atime
    assert os.listdir(old.volumes) == []


def test_a_dry_run_looks_where_each_would_go(old: Old) -> None:
    (old.volumes / "katafs_root").mkdir()
    (old.volumes / "katafs_root" / STRAYS[0]).write_text("somebody's\n")
    for kata in KATAS[:2]:
        old.convert("--keep", kata)
    (old.volumes / KATAS[1] / "work").write_text("somebody's\n")
    before = look_untouched(old.volumes)

    finished = old.convert("--all", "--dry-run", status=1)

    refused = {line.split(": ")[0] for line in finished.stderr.splitlines() if ": refused: " in line}
    assert refused == {KATAS[1], str(STRAYS[0])}
    assert f"would-convert {len(KATAS)}" in finished.stdout
    assert look_untouched(old.volumes) == before


def test_nothing_can_be_taken_off_a_disk_that_is_read_only(old: Old) -> None:
    before = look(old.disk)
    with bound(old.disk, old.disk, "ro"):
        dry = old.convert(KATAS[0], "--dry-run", status=1)
        kept = old.convert(KATAS[0], "--keep", status=1)
        moved = old.convert(KATAS[0], status=1)

    assert dry.stderr == moved.stderr == f"{KATAS[0]}: failed: Read-only file system\n"
    assert look(old.disk) == before
    assert kept.stderr == f"katafs: --keep: {old.disk} is mounted read-only: no later run would know its copies again\n"
    assert os.listdir(old.volumes) == []


def test_a_report_on_a_full_disk_ends_the_run_in_one_line(old: Old) -> None:
    finished = old.convert("--all", "--jobs", "1", "--report", "/dev/full", status=1)

    assert finished.stderr == "--report /dev/full: No space left on device\n"
    assert re.match(r"moved [12]; ", finished.stdout)
    assert 0 < len(old.left()) < len(KATAS)


def test_a_report_is_added_to(old: Old) -> None:
    old.report.write_text('{"before": true}\n')
    old.convert(KATAS[0], "--report", str(old.report))
    old.convert(KATAS[0], KATAS[1], "--report", str(old.report), "--jobs", "1")
    told = [(line.get("id"), line.get("outcome")) for line in old.lines()[1:]]
    assert told == [(KATAS[0], "moved"), (KATAS[0], "already"), (KATAS[1], "moved")]
    assert list(old.lines()[1]) == ["id", "outcome", "entries", "bytes", "seconds", "reason"]


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_it_does_with_as_many_threads_as_there_are(old: Old, threads: int) -> None:
    arguments = words(old.disk, old.volumes, "--all", "--jobs", "8", "--report", str(old.report))
    done = run([*with_threads(threads), *arguments])

    assert (old.left(), done.stderr) == ([], "")
    assert len(old.lines()) == len(KATAS) + len(STRAYS)


def test_a_report_that_cannot_be_written_converts_nothing(old: Old) -> None:
    report = old.disk.parent / "missing" / "report"
    finished = old.convert("--all", "--report", str(report), status=1)
    assert finished.stderr == f"katafs: --report {report}: No such file or directory\n"
    assert old.left() == KATAS


def test_a_rate_is_kept(old: Old) -> None:
    started = time.monotonic()
    old.convert(*KATAS, "--rate", "20")
    assert time.monotonic() - started > len(KATAS) / 20


WRONG = [
    ([], "name katas by ID, or else give one of --outer, --sample and --all"),
    (["--all", KATA], "name katas by ID, or else give one of --outer, --sample and --all"),
    (["--all", "--outer", "12"], "name katas by ID, or else give one of --outer, --sample and --all"),
    (["--outer", "1"], "--outer 1: is not two characters of 0-9 A-F"),
    (["--outer", "ab"], "--outer ab: is not two characters of 0-9 A-F"),
    (["--sample", "0"], "0 is not in the range"),
    (["--rate", "0", "--all"], "0.0 is not in the range"),
    (["123"], "123"),
]


@pytest.mark.parametrize(("arguments", "told"), WRONG)
def test_wrong_usage_changes_nothing(old: Old, arguments: list[str], told: str) -> None:
    finished = convert(old.disk, old.volumes, *(arguments or ["--jobs", "1"]), status=2)
    assert told in finished.stderr
    assert old.left() == KATAS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_between_two_katas(old: Old, number: signal.Signals) -> None:
    argv = old.argv("--all", "--rate", "5", "--jobs", "1")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        waiting.until(lambda: len(old.left()) < len(KATAS), "a kata to be converted")
        process.send_signal(number)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == -number
    assert err == "stopped by a signal: the rest is left for the next run\n"
    assert re.fullmatch(r"moved \d+; .* a second\n", out)
    left = old.left()
    assert 0 < len(left) < len(KATAS)
    assert sorted({*os.listdir(old.volumes)} - {"katafs_root"}) == [kata for kata in KATAS if kata not in left]
    old.convert("--all")
    assert list(old.disk.iterdir()) == []


def test_a_hundred_signals_do_not_hang_it(old: Old) -> None:
    argv = old.argv("--all", "--rate", "5")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        waiting.until(lambda: len(old.left()) < len(KATAS), "a kata to be converted")
        for _ in range(100):
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=DEADLINE_S)
    assert process.returncode == -signal.SIGTERM


def test_a_loop_of_a_shell_ends_with_it(old: Old) -> None:
    command = shlex.join(old.argv("--all", "--rate", "5"))
    loop = f"for each in 1 2; do {command}; echo went on; done"
    with subprocess.Popen(["bash", "-c", loop], stdout=subprocess.PIPE, start_new_session=True) as shell:
        waiting.until(lambda: len(old.left()) < len(KATAS), "a kata to be converted")
        os.killpg(shell.pid, signal.SIGINT)  # as a terminal's Ctrl-C does
        out, _ = shell.communicate(timeout=DEADLINE_S)
    assert b"went on" not in out
    assert shell.returncode == -signal.SIGINT


def test_nothing_but_totals_where_nothing_is_odd_and_no_terminal(old: Old) -> None:
    finished = old.convert("--all")
    assert finished.stderr == ""
    assert re.fullmatch(r"moved 14; \d+ entries, 0\.0 MB in \d+\.\d s, \d+\.\d a second\n", finished.stdout)


def test_names_of_any_bytes_are_told_on_one_line(old: Old) -> None:
    name = b"new\nline \x1b[31m\xff"
    os.mkdir(os.path.join(os.fsencode(old.disk), name))
    os.mknod(os.path.join(os.fsencode(old.disk), name, b"null"), 0o20666, os.makedev(1, 3))
    finished = old.convert("--all", "--report", str(old.report), status=1)
    assert finished.stderr == "'new\\nline \\x1b[31m\\udcff': refused: null in it is a device node\n"
    assert [line["id"] for line in old.lines() if line["outcome"] == "refused"] == [os.fsdecode(name)]


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of one."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)


def test_a_bar_on_a_terminal(old: Old, terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    (old.disk / "12" / KATAS[0][2:] / "null").symlink_to("x")
    with subprocess.Popen(old.argv("--all"), stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:
            pass  # so a terminal says that nobody has its other end any more
        process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "converting" in text
    assert "14/14" in text
    assert re.search(r"\d+\.\d/s", text)


def test_outer_that_has_nothing_is_no_error(old: Old) -> None:
    assert old.convert("--outer", "FF").stdout.startswith("nothing to do; ")
    assert make_kata(old.disk, f"{OUTER}FFFFFFFF").exists()
