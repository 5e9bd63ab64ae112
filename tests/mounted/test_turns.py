"""What happens to everybody else while one program sends requests as fast as it can."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.mounted import Mounted
from tests.harness.mounts import Mounts
from tests.harness.programs import run

_HAMMER = """
import os, sys
os.chdir("/")
print("begun", flush=True)
try:
    while True:
        os.stat(sys.argv[1])
except OSError:
    pass
"""


@pytest.fixture
def hammered(mount: Mounts) -> Iterator[Mounted]:
    """A mount without caching on which two programs ask for a file's attributes without a pause."""
    mounted = mount("-o", "timeout=0")
    file = mounted.path / "file"
    file.write_text("content")
    command = [sys.executable, "-c", _HAMMER, str(file)]
    hammers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for hammer in hammers:
        assert hammer.stdout is not None
        assert hammer.stdout.readline() == "begun\n"
    yield mounted
    for hammer in hammers:
        hammer.kill()
        hammer.communicate()


def test_a_signal_is_heard(hammered: Mounted) -> None:
    hammered.signal(15)

    hammered.ended()


def test_what_a_thread_does_comes_to_its_end(hammered: Mounted) -> None:
    kata = hammered.path / "123456789A"

    kata.mkdir()
    run(["dd", "if=/dev/zero", f"of={kata / 'big'}", "bs=1M", "count=4", "conv=fsync"])

    assert (kata / "big").stat().st_size == 4 << 20


def test_another_program_reads_and_writes(hammered: Mounted) -> None:
    other = Path(hammered.path) / "other"

    for number in range(50):
        other.write_text(str(number))
        assert other.read_text() == str(number)
