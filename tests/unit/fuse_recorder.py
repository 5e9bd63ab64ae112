"""Operations that note what they are asked, for tests of a connection."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from katafs.fuse.operations import Opened
from katafs.fuse.requests import Request
from tests.unit.test_fuse_wire import Told


class Recorder:
    """Operations that note what they are asked, and answer with what a test has set for them."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.pool = ThreadPoolExecutor(1)
        self.answers: dict[str, Callable[[], object]] = {
            "lookup": Told,
            "getattr": Told,
            "getattr_for_pages": Told,
            "setattr": Told,
            "link": Told,
            "open": lambda: Opened(5, keep_cache=True),
            "readlink": lambda: b"target",
            "read": lambda: b"content",
            "getxattr": lambda: b"value",
            "listxattr": lambda: [b"user.a", b"user.b"],
            "write": lambda: 4,
        }

    def __getattr__(self, name: str) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            self.calls.append((name, *map(_lasting, arguments), *named.values()))
            return self.answers.get(name, lambda: None)()

        return call


def _lasting(argument: object) -> object:
    """What can be compared when the request is over."""
    if isinstance(argument, Request):
        return argument.uid, argument.gid
    return bytes(argument) if isinstance(argument, memoryview) else argument


def failing(error: BaseException) -> Callable[[], object]:
    def fail() -> object:
        raise error

    return fail


class ScarceMemory:
    """A call for which there is no memory twice, and then there is."""

    def __init__(self) -> None:
        self._failures = [MemoryError(), MemoryError()]
        self.is_done = False

    def __call__(self) -> None:
        if self._failures:
            raise self._failures.pop()
        self.is_done = True
