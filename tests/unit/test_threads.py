"""Threads of which it is known that they run."""

import threading

import pytest

from katafs import threads
from katafs.errors import NoThread
from katafs.threads import started
from tests.harness.starved import starved


def test_a_thread_has_begun_with_its_name() -> None:
    names: list[str] = []
    thread = started(lambda: names.append(threading.current_thread().name), "katafs-test")
    thread.join(60)

    assert (names, thread.is_alive(), thread.daemon) == (["katafs-test"], False, True)


def test_one_that_has_no_memory_to_begin_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with starved(monkeypatch) as died, pytest.raises(NoThread, match="no memory to begin"):
        started(lambda: None, "katafs-test")
    assert len(died) == 1


@pytest.mark.parametrize(
    ("problem", "told"),
    [(RuntimeError("can't start new thread"), "can't start new thread"), (MemoryError(), "no memory")],
)
def test_one_that_there_can_not_be(monkeypatch: pytest.MonkeyPatch, problem: Exception, told: str) -> None:
    def fail(_: threading.Thread) -> None:
        raise problem

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(NoThread, match=told):
        started(lambda: None, "katafs-test")


def test_one_that_was_given_up_never_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who wanted it has done without by then."""
    free, ran = threading.Event(), threading.Event()
    bootstrap = threading.Thread._bootstrap  # type: ignore[attr-defined]  # noqa: SLF001  what is late is before it

    def late(thread: threading.Thread) -> None:
        free.wait(60)
        bootstrap(thread)

    monkeypatch.setattr(threads, "_PATIENCE_S", 0.1)
    with monkeypatch.context() as slow:
        slow.setattr(threading.Thread, "_bootstrap", late)
        with pytest.raises(NoThread):
            started(ran.set, "katafs-late")
    (thread,) = [each for each in threading.enumerate() if each.name == "katafs-late"]
    free.set()
    while not thread.is_alive() and thread in threading.enumerate():
        pass
    thread.join(60)

    assert not ran.is_set()
