"""The requests of a mount with a legacy disk: what one is about to change there is converted first, and where a kata
has left the disk the store is asked first. Neither is waited for with the tree's lock held."""

import functools
from collections.abc import Callable
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from katafs.errors import LeftBehind, StoreUnreachable
from katafs.fuse.operations import Answer, Later
from katafs.mount.answers import errno_of
from katafs.mount.lanes import Lanes
from katafs.mount.operations import Operations
from katafs.tree.legacy import Unconverted
from katafs.tree.tree import Tree
from katafs.volumes.legacy_locks import MOST_CLAIMS
from katafs.volumes.legacy_store import Unasked

_THREADS_OF_ONE_PIECE = 2
"""One may be long at what it wanted to do once the piece is converted."""
_CONVERSION_THREADS = MOST_CLAIMS * _THREADS_OF_ONE_PIECE + 8
"""A converter in another process may have so many pieces in hand, and be stopped: who waits for it keeps none from who
wants others. How many are at work at a time is the converter's affair."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _prepared(
    handler: Callable[Concatenate[Operations, Arguments], Answer[Result]],
) -> Callable[Concatenate["ConvertingOperations", Arguments], Answer[Result]]:
    """A handler that says before it has done anything what is to be done first: then a pool does that, and the handler
    begins anew there."""

    @functools.wraps(handler)
    def wrapped(self: "ConvertingOperations", /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer[Result]:
        try:
            answer = handler(self, *args, **kwargs)
        except (Unconverted, Unasked) as first:
            return self._after(first, partial(handler, self, *args, **kwargs))
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

    lookup = _prepared(Operations.lookup)
    mknod = _prepared(Operations.mknod)
    mkdir = _prepared(Operations.mkdir)
    symlink = _prepared(Operations.symlink)
    link = _prepared(Operations.link)
    unlink = _prepared(Operations.unlink)
    rmdir = _prepared(Operations.rmdir)
    rename = _prepared(Operations.rename)
    getattr = _prepared(Operations.getattr)
    getattr_for_pages = _prepared(Operations.getattr_for_pages)
    setattr = _prepared(Operations.setattr)
    readlink = _prepared(Operations.readlink)
    statfs = _prepared(Operations.statfs)
    getxattr = _prepared(Operations.getxattr)
    setxattr = _prepared(Operations.setxattr)
    listxattr = _prepared(Operations.listxattr)
    removexattr = _prepared(Operations.removexattr)
    open = _prepared(Operations.open)
    create = _prepared(Operations.create)
    read = _prepared(Operations.read)
    opendir = _prepared(Operations.opendir)
    readdir = _prepared(Operations.readdir)
    fsyncdir = _prepared(Operations.fsyncdir)

    def _after(self, first: Unconverted | Unasked, attempt: Callable[[], Answer[Result]]) -> Later[Result]:
        """Do what is to be done first, and then try again."""
        if isinstance(first, Unasked):
            threads = self._store_threads.of(self._tree.disk_of(first.volume))
        else:
            threads = self._conversion_threads.of(first.piece)
        return Later(threads, partial(self._finished, attempt, attempt, first))

    def _finished(
        self,
        call: Callable[[], Answer[Result]],
        attempt: Callable[[], Answer[Result]],
        first: Unconverted | Unasked | None = None,
    ) -> Result:
        """The result of a call, however long it takes; what has to be done first is done, and it is tried anew."""
        while True:
            try:
                self._prepare(first)
                answer = call()
                while isinstance(answer, Later):
                    answer = answer.call()
            except (Unconverted, Unasked) as another:
                call, first = attempt, another
            else:
                return answer

    def _prepare(self, first: Unconverted | Unasked | None) -> None:
        if isinstance(first, Unasked):
            self._ask(first)
        elif first is not None:
            self._convert(first)

    def _ask(self, first: Unasked) -> None:
        try:
            self._tree.ask(first)
        except StoreUnreachable:
            if first.piece is not None:
                raise
            # The store says so as well when it's tried anew. A listing shows that kata as a closed directory then.

    def _convert(self, first: Unconverted) -> None:
        try:
            self._tree.convert(first.piece)
        except LeftBehind as rest:
            errno_of("convert", rest)  # it was converted all the same, and somebody has to hear of it
        except Exception as problem:
            if first.needed:
                raise
            errno_of("open", problem)
            self._tree.leave_as_it_is(first.piece)
