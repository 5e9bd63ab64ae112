"""The `mount` fixture: mounts katafs as an operator does, and holds each daemon to a clean end."""

import itertools
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.harness import needs
from tests.harness.mount_table import mount_at, tear_off
from tests.harness.mounted import PROGRAM, Mounted

_started: list[Mounted] = []
"""The daemons that some fixture of this process has started and not yet finished."""


class Mounts:
    """Starts daemons. Called without arguments, it mounts a directory store that it keeps below its directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count(1)
        self.daemons: list[Mounted] = []

    def __call__(
        self,
        *arguments: str,
        volumes: str | None = None,
        at: Path | None = None,
        env: Mapping[str, str] | None = None,
        program: Sequence[str] = PROGRAM,
        ready: bool = True,
    ) -> Mounted:
        """Run `katafs mount AT --volumes VOLUMES ARGUMENTS…` and wait until it answers, or with `ready=False` don't.

        The same call after the first daemon's end mounts the same store at the same place again."""
        path = at or self._directory / "mnt"
        if at is None and mount_at(path) is None:  # else it may be dead, and answer nothing
            path.mkdir(exist_ok=True)
        if volumes is None:
            (self._directory / "volumes").mkdir(exist_ok=True)
            volumes = f"dir:{self._directory}/volumes"
        log = self._directory / f"katafs-{next(self._numbers)}.log"
        mounted = Mounted(path, ["--volumes", volumes, *arguments], log, env or {}, program)
        self.daemons.append(mounted)
        _started.append(mounted)
        if ready:
            mounted.wait_until_ready()
        return mounted

    def finish(self) -> None:
        """Stop every daemon that still runs. Fails the test, with a report, for each one that didn't end well."""
        failures = [failure for mounted in reversed(self.daemons) if (failure := mounted.finish())]
        for mounted in self.daemons:
            tear_off(mounted.path)
            _started.remove(mounted)
        if failures:
            pytest.fail("\n\n".join(failures), pytrace=False)


@contextmanager
def mounting(directory: Path) -> Iterator[Mounts]:
    """The same as the fixture `mount`, for fixtures that share one mount between tests."""
    needs.fuse()
    mounts = Mounts(directory)
    try:
        yield mounts
    finally:
        mounts.finish()


@pytest.fixture
def mount(disk: Path) -> Iterator[Mounts]:
    """A factory of mounts. Afterwards each daemon must end with 0, nothing mounted or left open, and a quiet log."""
    with mounting(disk) as mounts:
        yield mounts


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, Any]:
    """Show, below a failure in the test itself, how its daemons were at that moment."""
    report = yield
    if report.failed and call.when != "teardown":
        for mounted in _started:
            report.sections.append((f"daemon {mounted.pid} at {mounted.path}", mounted.report()))
    return report
