"""stress-ng's file system stressors and fio's verification, on ext4 as the reference and then on the mount."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.mounts import mounting
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.programs import Finished, run

KATA = Path("12/3456789A")

STRESSORS = {
    "access": 50,
    "chdir": 1,
    "chmod": 100,
    "chown": 100,
    "copy-file": 2,
    "dentry": 200,
    "dir": 200,
    "dirdeep": 100,
    "dirmany": 200,
    "dnotify": 10,
    "dup": 20,
    "fallocate": 2,
    "fcntl": 200,
    "filename": 50,
    "flock": 200,
    "fpunch": 1,
    "fsize": 20,
    "fstat": 100,
    "getdent": 100,
    "hdd": 100,
    "inotify": 2,
    "io": 100,
    "iomix": 50,
    "lease": 20,
    "link": 1,
    "locka": 200,
    "lockf": 200,
    "lockofd": 200,
    "mknod": 100,
    "mmap": 2,
    "mmapmany": 20,
    "msync": 20,
    "open": 100,
    "readahead": 20,
    "rename": 200,
    "revio": 50,
    "seek": 200,
    "sendfile": 50,
    "splice": 50,
    "symlink": 1,
    "sync-file": 2,
    "touch": 50,
    "utime": 100,
    "xattr": 20,
}
"""Each with as many operations as ext4 does in a fraction of a second."""

SIZES = {
    "dirmany": ["--dirmany-bytes", "0"],
    "fallocate": ["--fallocate-bytes", "8m"],
    "hdd": ["--hdd-bytes", "4m"],
    "iomix": ["--iomix-bytes", "4m"],
    "mmap": ["--mmap-file", "--mmap-bytes", "4m"],
    "readahead": ["--readahead-bytes", "4m"],
    "revio": ["--revio-bytes", "4m"],
    "seek": ["--seek-size", "4m"],
    "sendfile": ["--sendfile-size", "1m"],
    "sync-file": ["--sync-file-bytes", "4m"],
}

_SKIPPED = 3
"""stress-ng's exit status where a stressor found that it can't run."""


@pytest.fixture(scope="module")
def places() -> Iterator[tuple[Path, Path]]:
    """A directory on the disk, and one in a kata on the mount."""
    needs.programs("stress-ng", "fio")
    directory = fresh_directory()
    with mounting(directory) as mount:
        plain = directory / "plain"
        plain.mkdir()
        kata = mount("--layout", "split").path / KATA
        kata.mkdir(parents=True)
        yield plain, kata
    remove_directory(directory)


def _stress(name: str, place: Path) -> Finished:
    limits = [f"--{name}-ops", str(STRESSORS[name]), "--timeout", "2s", *SIZES.get(name, [])]
    argv = ["stress-ng", "--verify", "--temp-path", str(place), f"--{name}", "1", *limits]
    return run(argv, cwd=place, status=None)


@pytest.mark.parametrize("name", STRESSORS)
def test_stress(places: tuple[Path, Path], name: str) -> None:
    plain, kata = places
    reference = _stress(name, plain)
    if reference.status != 0 or "skipping" in reference.stderr:
        pytest.skip(f"stress-ng's {name} does not pass on ext4 here either: {reference}")

    found = _stress(name, kata)

    assert found.status == 0, found
    assert "skipping" not in found.stderr, found


def test_nothing_is_left_by_the_stressors(places: tuple[Path, Path]) -> None:
    _, kata = places
    assert _stress("rename", kata).status == 0
    assert [path.name for path in kata.iterdir() if path.name.startswith("tmp-stress")] == []


JOBS = 2
ENGINES = {
    "psync": ["--ioengine=psync"],
    "psync direct": ["--ioengine=psync", "--direct=1"],
    "mmap": ["--ioengine=mmap"],
    "libaio": ["--ioengine=libaio", "--iodepth=8"],
    "libaio direct": ["--ioengine=libaio", "--iodepth=8", "--direct=1"],
}


@pytest.mark.parametrize("pattern", ["write", "randwrite", "randrw"])
@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_written_is_read_back(places: tuple[Path, Path], disk: Path, engine: str, pattern: str) -> None:
    plain, kata = places
    argv = [
        "fio",
        "--name=verified",
        f"--rw={pattern}",
        "--bs=4k",
        "--size=2m",
        f"--numjobs={JOBS}",
        "--verify=crc32c",
        "--verify_fatal=1",
        "--do_verify=1",
        "--fsync=64",
        "--unlink=1",
        *ENGINES[engine],
    ]
    for place in (plain, kata):
        work = place / f"{engine}-{pattern}".replace(" ", "-")
        work.mkdir()
        # fio keeps what it has to verify in its working directory, which needn't be on the mount.
        finished = run([*argv, f"--directory={work}"], cwd=disk)
        assert finished.stdout.count("err= 0") == JOBS, finished
        work.rmdir()
