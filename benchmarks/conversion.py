"""What a conversion costs beside `cp -a`, `diff -r` and `rm -rf`, which it replaces; and the memory of a long list."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.table import Comparison

_KATAS = 2_000
_LISTED = 100_000
_IMAGE_GB = 8
_DEADLINE_S = 900
_OUTERS = 256
_CONVERT = (sys.executable, "-m", "katafs", "convert", "--all")


def measure(scratch: Path, rounds: int, scale: float, say: Callable[[str], None]) -> list[Comparison]:
    """Both ways, by move and by copy; by copy to a loop-mounted ext4, which is another file system.

    Raises CalledProcessError or TimeoutExpired where a program fails."""
    katas = max(2, round(_KATAS * scale))
    filled = _filled(scratch / "filled", katas)
    moved = Comparison(f"convert {katas:,} katas in one file system: `cp -a`, `diff -r`, `rm -rf`; by move")
    copied = Comparison("the same to another file system; by copy")
    with _other_file_system(scratch) as other:
        for number in range(1, rounds + 1):
            for compared, place in ((moved, scratch), (copied, other)):
                say(f"conversion: round {number} of {rounds}")
                for seconds, way in ((compared.without, _by_hand), (compared.katafs, _by_katafs)):
                    old, new = scratch / "old", place / f"new-{number}-{way.__name__}"
                    _run("cp", "-a", filled, old)
                    new.mkdir()
                    os.sync()
                    start = time.perf_counter()
                    way(old, new)
                    seconds.append(time.perf_counter() - start)
                    _run("rm", "-rf", old)
    return [moved, copied]


def listing_bytes(scratch: Path, scale: float) -> tuple[int, int]:
    """How many katas were listed, and the resident memory of the conversion that did, at its most."""
    katas = max(2, round(_LISTED * scale))
    old, new = scratch / "listed", scratch / "store"
    new.mkdir()
    for number in range(katas):
        (old / f"{number % _OUTERS:02X}" / f"{number:08X}").mkdir(parents=True)
    command = [*_CONVERT, "--dry-run", "--from", str(old), "--volumes", f"dir:{new}"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode != 0:
        raise RuntimeError(f"a conversion of {katas} katas ended with {running.returncode}")
    return katas, usage.ru_maxrss * 1024


def _filled(path: Path, katas: int) -> Path:
    for number in range(katas):
        _kata(path / f"{number % _OUTERS:02X}" / f"{number:08X}")
    return path


def _kata(path: Path) -> None:
    """A kata as a server left it: an avatar with a sandbox, and some tens of git's objects."""
    avatar = path / "lion"
    (avatar / "sandbox").mkdir(parents=True)
    (path / "manifest.json").write_text("{}" * 2_000)
    for name in ("manifest.json", "increments.json", *(f"sandbox/file_{number}.c" for number in range(8))):
        (avatar / name).write_text("int answer(void) { return 42; }\n" * 30)
    for number in range(24):
        folder = avatar / ".git" / "objects" / f"{number:02x}"
        folder.mkdir(parents=True)
        (folder / f"{number:038x}").write_bytes(os.urandom(300))


def _by_hand(old: Path, new: Path) -> None:
    _run("cp", "-a", f"{old}/.", new)
    _run("diff", "-r", old, new)
    _run("rm", "-rf", old)


def _by_katafs(old: Path, new: Path) -> None:
    _run(*_CONVERT, "--from", old, "--volumes", f"dir:{new}")


def _run(*command: str | Path) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=_DEADLINE_S)


@contextlib.contextmanager
def _other_file_system(scratch: Path) -> Iterator[Path]:
    image, mounted = scratch / "image", scratch / "other"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(_IMAGE_GB << 30)
    _run("mkfs.ext4", "-q", "-i", "4096", image)
    _run("mount", "-o", "loop", image, mounted)
    try:
        yield mounted
    finally:
        _run("umount", mounted)
