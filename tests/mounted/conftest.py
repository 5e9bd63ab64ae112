"""Mounts that the tests of a module share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from katafs.namespace import Layout
from tests.harness.mounts import Mounts, mounting
from tests.harness.places import fresh_directory, remove_directory
from tests.mounted.served import Served

Serve = Callable[..., Served]


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
