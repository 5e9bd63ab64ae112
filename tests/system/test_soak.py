"""`scripts/soak` itself, for seconds: it passes, it sees a planted difference, and it ends when it is told to."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import needs, waiting
from tests.harness.mount_table import mounts_below, tear_off
from tests.harness.programs import run

PROJECT = Path(__file__).resolve().parents[2]
END_S = 120.0

pytestmark = pytest.mark.xdist_group("docker")


@pytest.fixture
def base(disk: Path) -> Iterator[Path]:
    """Where a soak may work; what a failed one left mounted is taken away."""
    needs.docker()
    needs.fuse()
    needs.programs("git", "tar", "rsync")
    yield disk
    for mount in reversed(mounts_below(disk)):
        tear_off(Path(mount.path))


def command(base: Path, seconds: int) -> list[str]:
    """The command of a soak of two clients."""
    return [sys.executable, "-m", "tests.soak", f"--minutes={seconds / 60}", "--clients=2", f"--base={base}"]


def started(base: Path, seconds: int) -> subprocess.Popen[str]:
    """One that runs."""
    return subprocess.Popen(
        command(base, seconds), cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_nothing_differs_and_nothing_is_left(base: Path) -> None:
    done = run(command(base, seconds=6), cwd=PROJECT)

    assert done.stdout.endswith("Verdict: passed. The trees are equal, and what the daemon holds is back.\n")
    assert "\n| write | " in done.stdout
    assert "\n| nodes | " in done.stdout
    assert os.listdir(base) == []


def test_a_byte_that_was_changed_in_a_volume_is_found(base: Path) -> None:
    with started(base, seconds=12) as soak:  # in which a machine that is very busy makes a kata, too
        manifest = _first(base, "engine/data/volumes/E*/_data/manifest.json")
        with manifest.open("r+b") as file:
            file.write(b"[")
        out, err = soak.communicate(timeout=END_S)

    assert (soak.returncode, "Verdict: failed." in out) == (1, True), out + err
    [failure] = [line for line in out.splitlines() if "manifest.json" in line]
    assert "seed 1" in failure
    assert "left for a look: " in err
    [left] = mounts_below(base)
    run(["umount", left.path])


def test_a_signal_ends_it_and_nothing_is_left(base: Path) -> None:
    with started(base, seconds=600) as soak:
        _first(base, "engine/data/volumes/E*/_data/manifest.json")
        soak.send_signal(signal.SIGTERM)
        _, err = soak.communicate(timeout=END_S)

    assert (soak.returncode, err.splitlines()[-1]) == (1, "soak: interrupted")
    assert os.listdir(base) == []
    assert mounts_below(base) == []


def _first(base: Path, pattern: str) -> Path:
    """The first file that is there with a content, of a soak that has just begun."""

    def found() -> list[Path]:
        return [each for each in base.glob(f"katafs-soak-*/{pattern}") if each.stat().st_size > 0]

    waiting.until(lambda: bool(found()), pattern)
    return found()[0]
