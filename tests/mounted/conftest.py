"""Mounts that the tests of a module share, what the tests of the doctor begin with, and systemd's end of a daemon."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from katafs.namespace import Layout
from tests.harness import needs
from tests.harness.doctored import Report, doctor
from tests.harness.mounts import Mounts, mounting
from tests.harness.old_disk import OldDisk, old_disk
from tests.harness.places import fresh_directory, remove_directory
from tests.mounted.served import LegacyServed, Served

Serve = Callable[..., Served]
ServeLegacy = Callable[..., LegacyServed]


@contextmanager
def serving(layout: Layout) -> Iterator[Served]:
    """One mount of a store of its own."""
    directory = fresh_directory()
    with mounting(directory) as mount:
        yield Served(mount("--layout", layout.value), directory / "volumes", layout)
    remove_directory(directory)


@pytest.fixture(scope="module")
def flat() -> Iterator[Served]:
    """A flat tree for all tests of the module."""
    with serving(Layout.FLAT) as served:
        yield served


@pytest.fixture(scope="module")
def split() -> Iterator[Served]:
    """A split tree for all tests of the module."""
    with serving(Layout.SPLIT) as served:
        yield served


@pytest.fixture(params=Layout, ids=lambda layout: layout.value)
def served(request: pytest.FixtureRequest) -> Served:
    """Each of both."""
    layout: Layout = request.param
    served: Served = request.getfixturevalue(layout.value)
    return served


@pytest.fixture
def serve(mount: Mounts) -> Serve:
    """Mounts as the test wants it: `serve("--read-only", layout=Layout.SPLIT)`; again after the first one's end."""

    def start(*arguments: str, layout: Layout = Layout.FLAT, **options: object) -> Served:
        mounted = mount("--layout", layout.value, *arguments, **options)  # type: ignore[arg-type]  # Mounts' own
        return Served(mounted, mounted.path.parent / "volumes", layout)

    return start


WAYS = [("move", Layout.FLAT), ("copy", Layout.SPLIT)]


@pytest.fixture(scope="module", params=WAYS, ids=[f"{way}-{layout.value}" for way, layout in WAYS])
def legacy(request: pytest.FixtureRequest) -> Iterator[LegacyServed]:
    """A mount beside an old disk for all tests of the module: each layout, each way to convert. The kernel keeps
    nothing of the split one, so that what it kept of a kata doesn't hide what the daemon would say of it."""
    needs.root()
    way, layout = request.param
    directory = fresh_directory()
    with old_disk(directory, way) as old, mounting(directory) as mount:
        timeout_s = {Layout.FLAT: 1, Layout.SPLIT: 0}[layout]
        mounted = mount("--layout", layout.value, "--legacy", str(old.path), "-o", f"timeout={timeout_s}")
        yield LegacyServed(mounted, directory / "volumes", layout, old)
    remove_directory(directory)


@pytest.fixture(params=["move", "copy"])
def old(request: pytest.FixtureRequest, disk: Path) -> Iterator[OldDisk]:
    """An old disk of the test's own, from which a conversion moves or copies."""
    needs.root()
    with old_disk(disk, request.param) as old:
        yield old


@pytest.fixture
def serve_legacy(old: OldDisk, serve: Serve) -> ServeLegacy:
    """`serve` beside the old disk."""

    def start(*arguments: str, layout: Layout = Layout.SPLIT, **options: object) -> LegacyServed:
        served = serve("--legacy", str(old.path), *arguments, layout=layout, **options)
        return LegacyServed(served.mounted, served.store, layout, old)

    return start


@pytest.fixture
def volumes(disk: Path) -> Path:
    """An empty directory store."""
    path = disk / "volumes"
    path.mkdir(exist_ok=True)
    return path


@pytest.fixture
def bare(disk: Path) -> Path:
    """A mount point with nothing mounted."""
    path = disk / "bare"
    path.mkdir()
    return path


@pytest.fixture
def clean(volumes: Path, bare: Path) -> Report:
    """What is said of this machine as it is: notes it may have, as where /proc hides process 1's namespaces."""
    return doctor(bare, "--volumes", f"dir:{volumes}")


@pytest.fixture
def listener(disk: Path) -> Iterator[socket.socket]:
    """systemd's end of sd_notify(3)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(60)
        listening.bind(str(disk / "notify"))
        yield listening
