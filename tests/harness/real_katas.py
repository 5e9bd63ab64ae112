"""The real katas beside the project, as they lay on the servers' disks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness import needs
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.programs import run

SETS = ("katas-red", "katas-89")
"""Their names, the larger one first."""


def unpack(name: str, into: Path) -> None:
    """Put a set's `katas` into a directory."""
    needs.root()
    needs.programs("tar")
    run(["tar", "--numeric-owner", "-xpf", needs.shared_data() / f"{name}.tar.gz", "-C", into])


@contextmanager
def unpacked(*names: str) -> Iterator[Path]:
    """A directory with the `katas` of these sets, of all of them where none is named."""
    directory = fresh_directory()
    try:
        for name in names or SETS:
            unpack(name, directory)
        yield directory
    finally:
        remove_directory(directory)
