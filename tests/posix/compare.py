"""Runs a case on both sides and holds them to the same outcome; knows nothing of how the mount came to be."""

import functools
import inspect
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.posix.place import Place

Case = Callable[[Place], None]
Record = list[tuple[str, Any]]


@dataclass(frozen=True)
class Side:
    """A directory to run cases in, and where its bytes are."""

    title: str
    directory: str
    backing: str
    numbers: Iterator[int] = field(default_factory=itertools.count)
    naming: str = "{}"  # how a place is called, of its number

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A new directory of root's, entered, with the ordinary umask."""
        name = self.naming.format(next(self.numbers))
        at = Place(os.path.join(self.directory, name), os.path.join(self.backing, name))
        self.make(at)
        before = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
        umask = os.umask(0o022)
        os.chdir(at.directory)
        try:
            yield at
        finally:
            at.close()
            os.umask(umask)
            os.fchdir(before)
            os.close(before)

    def make(self, at: Place) -> None:
        """Make the place's directory."""
        os.mkdir(at.directory, 0o755)

    def run(self, case: Case) -> Record:
        with self.place() as at:
            try:
                case(at)
            except Exception as error:
                error.add_note(f"on {self.title}, after: {at.record[-5:]}")
                raise
        return at.record


@dataclass(frozen=True)
class Pair:
    """Plain ext4, and katafs on that same ext4."""

    ext4: Side
    mount: Side

    def agree(self, case: Case) -> None:
        """Fail where the mount's outcome isn't ext4's. A case that records nothing compares nothing and fails too."""
        expected, actual = self.ext4.run(case), self.mount.run(case)
        assert expected, "the case recorded nothing"
        rows = itertools.zip_longest(expected, actual, fillvalue=("nothing", None))
        differing = [f"{want[0]}: ext4 {want[1]!r}, mount {got[1]!r}" for want, got in rows if want != got]
        assert not differing, "\n".join(differing)


def compared(case: Callable[..., None]) -> Callable[..., None]:
    """Make a case a test: its `at` becomes first a place on ext4, then one on the mount; asserts in it hold on each."""

    @functools.wraps(case)
    def test(pair: Pair, **parameters: object) -> None:
        pair.agree(lambda at: case(at, **parameters))

    signature = inspect.signature(case)
    asked = [value for name, value in signature.parameters.items() if name != "at"]
    own = inspect.Parameter("pair", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    test.__signature__ = signature.replace(parameters=[own, *asked])  # type: ignore[attr-defined]  # read by pytest
    return test
