"""Katas that somebody writes to while they are converted: left, told, tried again, and no byte is lost."""

import errno
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from katafs.converter import marks
from katafs.converter.spots import Spot
from katafs.converter.target import Target
from katafs.converter.targets import Targets
from katafs.rooted import copying, names
from tests.harness import needs, waiting
from tests.system.far_disks import SCRIPT, Far, around, before_commit, once
from tests.system.old_disks import INNER, KATA, OUTER, convert, look, make_disk, rubbish


@contextmanager
def _writer(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that has the file open, and writes a line to it when it is told to."""
    script = 'exec 3>>"$1"; echo open; read line; echo "$line" >&3'
    argv = ["sh", "-c", script, "sh", str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"open\n"
            yield process
        finally:
            process.kill()


def test_a_file_that_is_open_for_writing_is_busy(far: Far) -> None:
    before = look(far.kata)
    with _writer(far.kata / SCRIPT) as writer:
        told = far.convert(lambda: None, 1)
        assert f"{KATA}: busy: {SCRIPT} in it is open for writing\n" in told
        assert look(far.kata) == before
        assert os.listdir(far.volumes) == ["katafs_root"]
        writer.communicate(b"late\n")
    assert (far.kata / SCRIPT).read_text().endswith("late\n")
    after = look(far.kata)
    far.convert(lambda: None, 0)
    assert look(far.volume) == after


def test_a_copy_that_is_kept_waits_for_no_writer(far: Far) -> None:
    """The disk stays the truth, and a later run copies it anew."""
    with _writer(far.kata / SCRIPT) as writer:
        assert convert(far.disk, far.volumes, KATA, "--keep").stdout.startswith("kept 1; ")
        assert convert(far.disk, far.volumes, KATA, "--dry-run").stdout.startswith("would-convert 1; ")
        writer.communicate(b"late\n")
    far.convert(lambda: None, 0)

    assert (far.volume / SCRIPT).read_text().endswith("late\n")


def test_a_move_takes_the_writer_along(disk: Path) -> None:
    needs.root()
    make_disk(disk / "katas")
    (disk / "volumes").mkdir()
    with _writer(disk / "katas" / OUTER / INNER / SCRIPT) as writer:
        convert(disk / "katas", disk / "volumes", KATA)
        writer.communicate(b"late\n")
    assert (disk / "volumes" / KATA / SCRIPT).read_text().endswith("late\n")


def test_what_changes_while_it_is_copied_is_tried_again(far: Far) -> None:
    grow = once(lambda: (far.kata / SCRIPT).write_text("grown\n"))
    far.convert(lambda: around(copying, "copy_tree", after=grow), 0)
    assert far.line["outcome"] == "copied"
    assert (far.volume / SCRIPT).read_text() == "grown\n"
    assert not far.kata.exists()


@pytest.mark.parametrize("marked", [True, False])
def test_a_copy_in_its_volume_that_is_old_before_it_is_committed_makes_way(far: Far, marked: bool) -> None:
    """Also where the file system can't mark it."""
    far.volume.mkdir()
    grow = once(lambda: (far.kata / SCRIPT).write_text("grown\n"))

    def prepare() -> None:
        around(Target, "take", after=grow)
        if not marked:
            setattr(marks, "put", lambda *_: None)  # noqa: B010  # in the converter's process alone

    far.convert(prepare, 0)

    assert far.line["outcome"] == "copied"
    assert (far.volume / SCRIPT).read_text() == "grown\n"
    assert not far.kata.exists()


def test_what_changes_while_a_copy_is_made_that_is_kept_is_in_the_copy(far: Far) -> None:
    grow = once(lambda: (far.kata / SCRIPT).write_text("grown\n"))
    far.convert(lambda: around(Target, "take", after=grow), 0, "--keep")
    assert far.line["outcome"] == "kept"
    assert (far.volume / SCRIPT).read_text() == "grown\n"


def test_what_goes_while_a_copy_that_is_kept_is_looked_at_again_is_tried_again(far: Far) -> None:
    gone: list[FileNotFoundError] = []

    def go(*_: object) -> None:
        if not gone:
            gone.append(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), b"lion/file"))
            raise gone[0]

    far.convert(lambda: around(Target, "take", after=once(lambda: around(Spot, "survey", before=go))), 0, "--keep")

    assert far.line["outcome"] == "kept"


def test_what_goes_on_changing_is_left_and_told(far: Far) -> None:
    def grow(*_: object) -> None:
        with (far.kata / SCRIPT).open("a") as script:
            script.write("more\n")

    told = far.convert(lambda: around(copying, "copy_tree", after=grow), 1)
    assert f"{KATA}: changed: it changed while it was copied\n" in told
    assert (far.kata / SCRIPT).read_text() == "make \n" + "more\n" * 3
    assert os.listdir(far.volumes) == ["katafs_root"]


def test_what_vanishes_while_it_is_copied_is_tried_again(far: Far) -> None:
    def vanish(_: object, name: object) -> None:
        if name == b"twin":
            (far.kata / SCRIPT.with_name("twin")).unlink(missing_ok=True)

    far.convert(lambda: around(names, "look", before=vanish), 0)
    assert far.line["outcome"] == "copied"
    assert sorted(os.listdir(far.volume / SCRIPT.parent)) == ["cyber-dojo.sh", "dangling"]


_IN_NO_VOLUME = "no volume has it as it is on the old disk; it"


def _kept(
    far: Far, told: str, what: str = "something wrote to it on the old disk while it was committed; what it wrote to"
) -> Path:
    kept = far.disk / OUTER / f".katafs-late-{KATA}"
    assert f"{KATA}: failed: {what} is kept as {kept}\n" in told
    return kept


def test_a_file_made_between_the_comparison_and_the_commit_is_kept(far: Far) -> None:
    before = look(far.kata)
    told = far.convert(before_commit(lambda: (far.kata / "late").write_text("late\n")), 1)
    assert (_kept(far, told) / "late").read_text() == "late\n"
    assert look(far.volume) == before
    assert not far.kata.exists()


def test_a_write_between_the_comparison_and_the_commit_is_kept(far: Far) -> None:
    before, late = look(far.kata), (far.kata / SCRIPT).stat().st_ino

    def open_for_writing() -> None:
        subprocess.Popen(["sh", "-c", 'echo late >> "$1"', "sh", str(far.kata / SCRIPT)])
        waiting.until(lambda: _is_asked_for(late), "the writer to wait for the lease's end")

    told = far.convert(before_commit(open_for_writing), 1)
    kept = _kept(far, told)
    waiting.until(lambda: (kept / SCRIPT).read_text() == "make \nlate\n", "what was written")
    assert look(far.volume) == before


def _is_asked_for(inode: int) -> bool:
    lines = Path("/proc/locks").read_text().splitlines()
    return any("BREAKING" in line and f":{inode} " in line for line in lines)


def _made(aside: Path) -> None:
    (aside / "lion/new").write_text("late\n")


def _changed(aside: Path) -> None:
    with (aside / SCRIPT).open("a") as script:
        script.write("late\n")


def _replaced(aside: Path) -> None:
    (aside / "lion/lock").write_text("late\n")
    (aside / "lion/lock").rename(aside / SCRIPT)


def _made_a_directory(aside: Path) -> None:
    (aside / "lion/new").mkdir()


@pytest.mark.parametrize("moment", ["deletion", "last file"])
@pytest.mark.parametrize("change", [_made, _changed, _replaced, _made_a_directory])
def test_what_a_program_at_work_inside_does_before_it_is_deleted_is_kept(
    far: Far, change: Callable[[Path], None], moment: str
) -> None:
    """One that stands in the kata's directory and opens a file only then, as git does between two of its steps."""
    before, aside = look(far.kata), far.disk / OUTER / f".katafs-done-{KATA}"
    late = once(lambda: change(aside))

    def at_the_deletion(spot: Spot, *_: object) -> None:
        if spot.name.startswith(b".katafs-done") and spot.status() is not None:
            late()

    def at_the_last_file(_: int, name: bytes) -> None:
        if name == b"twin":
            late()

    told = far.convert(
        lambda: (
            around(Spot, "remove", before=at_the_deletion)
            if moment == "deletion"
            else around(names, "remove", before=at_the_last_file)
        ),
        1,
    )
    kept = _kept(far, told)
    left = {str(path.relative_to(kept)) for path in kept.rglob("*")}
    wanted = str(SCRIPT) if change in (_changed, _replaced) else "lion/new"
    assert wanted in left
    assert change is _made_a_directory or (kept / wanted).read_text().endswith("late\n")
    assert look(far.volume) == before


def test_a_commit_leaves_what_was_written_late_to_people(far: Far) -> None:
    far.convert(before_commit(lambda: (far.kata / "late").write_text("late\n")), 1)
    assert "already 1" in far.convert(lambda: None, 0)
    assert [path.name for path in rubbish(far.disk)] == [".katafs-lock", f".katafs-late-{KATA}"]
    assert rubbish(far.volumes) == []


def test_a_kata_of_very_many_files_is_copied(far: Far) -> None:
    for number in range(1500):
        (far.kata / "lion" / f"{number}").touch()
    before = look(far.kata)
    far.convert(_low_limit, 0)
    assert look(far.volume) == before


def _low_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))


def test_a_stray_that_is_open_for_writing_is_converted_later(far: Far) -> None:
    stray = far.disk / "server.log"
    stray.write_text("first\n")
    with _writer(stray) as writer:
        first = convert(far.disk, far.volumes, "--all", status=1)
        assert "server.log: busy: " in first.stderr
        assert not (far.volumes / "katafs_root" / "server.log").exists()
        writer.communicate(b"late\n")
    convert(far.disk, far.volumes, "--all", status=0)
    assert (far.volumes / "katafs_root" / "server.log").read_text() == "first\nlate\n"
    assert os.listdir(far.disk) == []


@pytest.mark.parametrize("written", [True, False], ids=["written", "not-written"])
def test_a_kill_right_after_the_commit_loses_nothing_that_was_written_late(far: Far, written: bool) -> None:
    far.convert_until_killed(lambda: around(names, "rename", after=_die_when_leaving))
    leaving = far.disk / OUTER / f".katafs-leaving-{KATA}"
    assert leaving.is_dir()
    if written:
        (leaving / SCRIPT).write_text("late\n")

    first = convert(far.disk, far.volumes, KATA, status=1 if written else 0)

    if written:
        assert (_kept(far, first.stderr, _IN_NO_VOLUME) / SCRIPT).read_text() == "late\n"
    assert not leaving.exists()
    assert convert(far.disk, far.volumes, KATA, status=0).stdout.startswith("already 1; ")


def test_a_second_kill_while_what_the_first_left_is_deleted_leaves_nothing_to_people(far: Far) -> None:
    far.convert_until_killed(lambda: around(names, "rename", after=_die_when_leaving))
    far.convert_until_killed(lambda: around(names, "remove", after=lambda *_: os.kill(os.getpid(), signal.SIGKILL)))

    assert convert(far.disk, far.volumes, KATA, status=0).stdout.startswith("already 1; ")

    assert os.listdir(far.disk / OUTER) == ["notes"]


def test_what_is_written_while_what_a_kill_left_is_compared_is_kept(far: Far) -> None:
    far.convert_until_killed(lambda: around(names, "rename", after=_die_when_leaving))
    leaving = far.disk / OUTER / f".katafs-leaving-{KATA}"

    def write(*_: object) -> None:
        (leaving / SCRIPT).write_text("late\n")

    told = far.convert(lambda: around(Targets, "hold", after=write), 1)

    assert (_kept(far, told) / SCRIPT).read_text() == "late\n"


def _die_when_leaving(_: object, __: object, ___: object, new_name: bytes, *____: object) -> None:
    if new_name.startswith(b".katafs-leaving"):
        os.kill(os.getpid(), signal.SIGKILL)
