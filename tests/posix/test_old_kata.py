"""Cases of other modules, each in a kata that stands on an old disk when the case begins: its first change converts it,
and the outcome is ext4's."""

import inspect
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.mounts import mounting
from tests.posix import test_creation, test_link, test_rename, test_unlink, test_utimens, test_xattr
from tests.posix.compare import Pair, Side
from tests.posix.place import Place

_FAMILIES = (test_creation, test_link, test_rename, test_unlink, test_utimens, test_xattr)
CASES = [
    pytest.param(case, id=f"{module.__name__.rpartition('_')[2]}-{name.removeprefix('test_')}")
    for module in _FAMILIES
    for name, case in vars(module).items()
    if name.startswith("test_") and list(inspect.signature(case).parameters) == ["pair"]
]
"""Those that need nothing but the pair."""


@dataclass(frozen=True)
class OldKatas(Side):
    """Places that are katas of an old disk; `backing` is where their volumes come to be."""

    disk: str = ""

    def make(self, at: Place) -> None:
        """As in Side."""
        outer, inner = Path(at.directory).parts[-2:]
        os.makedirs(os.path.join(self.disk, outer, inner), 0o755)
        at.backing = os.path.join(self.backing, outer + inner)


@pytest.fixture(scope="session")
def old_katas(ext4: Path) -> Iterator[Pair]:
    """Plain ext4, and a mount beside an old disk."""
    directory = ext4 / "beside"
    for made in (directory, directory / "old", ext4 / "plain-old"):
        made.mkdir()
    with mounting(directory) as mount:
        top = mount("--layout", "split", "--legacy", str(directory / "old")).path
        yield Pair(
            Side("ext4", str(ext4 / "plain-old"), str(ext4 / "plain-old")),
            OldKatas("an old kata", str(top), str(directory / "volumes"), naming="FE/{:08X}", disk=f"{directory}/old"),
        )


@pytest.mark.parametrize("case", CASES)
def test_an_old_kata_is_as_ext4_is(old_katas: Pair, case: Callable[..., None]) -> None:
    case(pair=old_katas)
