"""The requests of a mount with a legacy disk: what one is about to change there is converted first."""

import functools
from collections.abc import Callable
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from katafs.errors import WrittenLate
from katafs.fuse.operations import Answer, Later
from katafs.mount.answers import errno_of
from katafs.mount.lanes import Lanes
from katafs.mount.operations import Operations
from katafs.tree.legacy import Unconverted
from katafs.tree.tree import Tree

_CONVERSION_THREADS = 8
_THREADS_OF_ONE_PIECE = 2
"""One converts; another may wait for a converter that is another process."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _changing(
    handler: Callable[Concatenate[Operations, Arguments], Answer[Result]],
) -> Callable[Concatenate["ConvertingOperations", Arguments], Answer[Result]]:
    """A handler of what may change something. Where that is on the legacy disk still, the handler says so before it has
    done anything; then that is converted in a pool, and the handler begins anew there."""

    @functools.wraps(handler)
    def wrapped(self: "ConvertingOperations", /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer[Result]:
        try:
            answer = handler(self, *args, **kwargs)
        except Unconverted as first:
            return self._converting(first, partial(handler, self, *args, **kwargs))
        if isinstance(answer, Later):
            return Later(answer.pool, partial(self._finished, answer.call, partial(handler, self, *args, **kwargs)))
        return answer

    return wrapped


class ConvertingOperations(Operations):
    """Those of a tree beside a legacy disk."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree)
        self._conversion_threads = Lanes("katafs-convert", _CONVERSION_THREADS, _THREADS_OF_ONE_PIECE)
        self._pools.append(self._conversion_threads)

    mknod = _changing(Operations.mknod)
    mkdir = _changing(Operations.mkdir)
    symlink = _changing(Operations.symlink)
    link = _changing(Operations.link)
    unlink = _changing(Operations.unlink)
    rmdir = _changing(Operations.rmdir)
    rename = _changing(Operations.rename)
    setattr = _changing(Operations.setattr)
    setxattr = _changing(Operations.setxattr)
    removexattr = _changing(Operations.removexattr)
    open = _changing(Operations.open)
    create = _changing(Operations.create)

    def _converting(self, first: Unconverted, attempt: Callable[[], Answer[Result]]) -> Later[Result]:
        """Have a piece of the legacy disk converted, and then try again."""

        def convert() -> Result:
            self._convert(first)
            return self._finished(attempt, attempt)

        return Later(self._conversion_threads.of(first.piece), convert)

    def _finished(self, call: Callable[[], Answer[Result]], attempt: Callable[[], Answer[Result]]) -> Result:
        """The result of a call, however long it takes; what turns out to be unconverted is converted and tried anew."""
        while True:
            try:
                answer = call()
                while isinstance(answer, Later):
                    answer = answer.call()
            except Unconverted as first:
                self._convert(first)
                call = attempt
            else:
                return answer

    def _convert(self, first: Unconverted) -> None:
        try:
            self._tree.convert(first.piece)
        except WrittenLate as late:
            errno_of("convert", late)  # it was converted all the same, and somebody has to hear of the rest
        except Exception as problem:
            if first.needed:
                raise
            errno_of("open", problem)
            self._tree.leave_as_it_is(first.piece)
