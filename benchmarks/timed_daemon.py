"""katafs, that leaves what processor time its operations took: `python -m benchmarks.timed_daemon FILE mount …`.

What a daemon takes besides is the binding's: reading requests, taking them apart, and replying. A clock is asked twice
for each operation, so a run of this kind is for the proportion, not for the time.
"""

import functools
import inspect
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from katafs.cli.main import katafs
from katafs.fuse.operations import Later
from katafs.mount.operations import Operations
from katafs.tree.entering import Entering


class Spent:
    """How long operations took, of all threads."""

    def __init__(self) -> None:
        self._taken_ns: list[int] = []
        """To add to a list is one step."""

    @property
    def seconds(self) -> float:
        """All together."""
        return sum(self._taken_ns) / 1e9

    def timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call; what it leaves to be done later is counted, too."""

        @functools.wraps(call)
        def timed(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401  # as the call
            began_ns = time.thread_time_ns()
            try:
                result = call(*arguments, **named)
            finally:
                self._taken_ns.append(time.thread_time_ns() - began_ns)
            return Later(result.pool, self.timed(result.call)) if isinstance(result, Later) else result

        return timed


def main() -> None:
    """Serve, and add a line with the seconds to the file that the first argument names."""
    spent = Spent()
    for name, method in inspect.getmembers(Operations, inspect.isfunction):
        if not name.startswith("_") and name != "close":
            setattr(Operations, name, spent.timed(method))
    Entering.__exit__ = spent.timed(Entering.__exit__)  # type: ignore[method-assign]  # what a listing does after it
    file = Path(sys.argv.pop(1))
    try:
        katafs()
    finally:
        with file.open("a") as seconds:
            print(spent.seconds, file=seconds)


if __name__ == "__main__":
    main()
