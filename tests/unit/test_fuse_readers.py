"""The threads that read requests, and who watches them."""

import inspect
import threading
from collections.abc import Callable

import pytest

from katafs.fuse.readers import Reader, Readers
from tests.harness.starved import starved
from tests.harness.waiting import until


def test_the_last_that_is_noted_is_0_also_amid_requests() -> None:
    noted: list[int] = []
    ended = threading.Event()

    def read(reader: Reader) -> bool:
        reader.taken += 1
        return not noted or noted[-1] == 0

    readers = Readers(read, ended.set, 64, noted.append)
    readers.start()
    assert readers.join(60)

    assert ended.is_set()
    assert noted[-2] > 0
    assert noted[-1] == 0


def three_requests(slow: threading.Event) -> Callable[[Reader], bool]:
    """Three requests, each of which waits for the event."""

    def read(reader: Reader) -> bool:
        reader.taken += 1
        reader.answering = True
        slow.wait(60)
        reader.answering = False
        return reader.taken < 3

    return read


def test_where_no_thread_can_be_started_the_one_there_is_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, ended = threading.Event(), threading.Event()
    refused: list[threading.Thread] = []

    def refuse(thread: threading.Thread) -> None:
        refused.append(thread)
        raise RuntimeError("can't start new thread")

    readers = Readers(three_requests(slow), ended.set, 64, lambda _: None)
    readers.start()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    until(lambda: len(refused) >= 2, "the watcher to have tried, and again")
    slow.set()

    assert readers.join(60)
    assert ended.is_set()


class _LateForTheLock:
    """A lock that who finds that it isn't its turn gets only when the turn was taken back."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.found = threading.Event()
        self.taken_back = threading.Event()

    def __enter__(self) -> None:
        if inspect.stack()[1].function == "_run":
            self.found.set()
            assert self.taken_back.wait(60)
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()
        if inspect.stack()[1].function == "_take_back":
            self.taken_back.set()


def test_a_turn_that_is_taken_back_goes_on_where_its_reader_has_just_missed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, ended, late = threading.Event(), threading.Event(), _LateForTheLock()

    def refuse(_: threading.Thread) -> None:
        slow.set()
        assert late.found.wait(60)
        raise RuntimeError("can't start new thread")

    readers = Readers(three_requests(slow), ended.set, 64, lambda _: None)
    monkeypatch.setattr(readers, "_lock", late)
    readers.start()
    monkeypatch.setattr(threading.Thread, "start", refuse)

    assert ended.wait(60)
    assert readers.join(60)


def test_a_moment_without_memory_is_not_the_end_of_the_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, ended = threading.Event(), threading.Event()
    refused: list[int] = []

    def read(reader: Reader) -> bool:
        reader.answering = True
        if reader is readers._all[0]:  # noqa: SLF001  the first, which another is to read after
            slow.wait(60)
        return False

    def refuse() -> memoryview:
        refused.append(1)
        raise MemoryError

    readers = Readers(read, ended.set, 64, lambda _: None)
    with monkeypatch.context() as exhausted:
        exhausted.setattr(readers, "_buffer", refuse)
        readers.start()
        until(lambda: len(refused) > 0, "the watcher to have tried")

    assert ended.wait(60), "no other has read"
    slow.set()
    assert readers.join(60)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_reader_that_dies_is_the_end() -> None:
    """Without memory anything may fail, also what answers a request that has failed."""
    ended = threading.Event()

    def read(_: Reader) -> bool:
        raise MemoryError

    readers = Readers(read, ended.set, 64, lambda _: None)
    readers.start()

    assert readers.join(60)
    assert ended.is_set()


def test_where_a_thread_has_no_memory_to_begin_the_one_there_is_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, ended = threading.Event(), threading.Event()
    readers = Readers(three_requests(slow), ended.set, 64, lambda _: None)
    readers.start()
    with starved(monkeypatch) as died:
        until(lambda: len(died) >= 2, "the watcher to have tried, and again")
    slow.set()

    assert readers.join(60)
    assert ended.is_set()


def test_where_there_is_no_memory_to_ask_for_a_thread_the_one_there_is_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, ended = threading.Event(), threading.Event()
    refused: list[int] = []

    def refuse(*_: object) -> None:
        refused.append(1)
        raise MemoryError

    readers = Readers(three_requests(slow), ended.set, 64, lambda _: None)
    readers.start()
    with monkeypatch.context() as exhausted:
        exhausted.setattr("katafs.fuse.readers.started", refuse)
        until(lambda: len(refused) >= 1, "the watcher to have tried")
    slow.set()

    assert ended.wait(10), "nobody reads any more"
    assert readers.join(60)
