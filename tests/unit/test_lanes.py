"""Threads with a share for each lane. What waits does so until the test lets it go on."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future

import pytest

from katafs.mount.lanes import Lanes
from tests.harness.starved import starved
from tests.harness.waiting import until

SHARE = 2


class Held:
    """Calls that wait."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.at_work = 0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        with self._lock:
            self.at_work += 1
        assert self.free.wait(60)
        return "done"


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    """Few threads, and no patience."""
    lanes = Lanes("test", threads=2 * SHARE, share=SHARE, patience_s=0)
    yield lanes
    lanes.close(60)


@pytest.fixture
def held(lanes: Lanes) -> Iterator[tuple[Held, list[Future[str]]]]:
    """One lane with more calls than its share, all of which wait."""
    held = Held()
    futures = [lanes.of("stuck").submit(held) for _ in range(3 * SHARE)]
    until(lambda: held.at_work == SHARE, "the lane to have its share")
    yield held, futures
    held.free.set()


def test_a_lane_leaves_threads_for_the_others(lanes: Lanes, held: tuple[Held, list[Future[str]]]) -> None:
    assert lanes.of("other").submit(lambda: "answer").result(60) == "answer"
    assert held[0].at_work == SHARE


def test_what_has_waited_for_its_turn_is_done(held: tuple[Held, list[Future[str]]]) -> None:
    calls, futures = held
    calls.free.set()

    assert [future.result(60) for future in futures] == ["done"] * len(futures)


def test_what_has_not_been_begun_can_be_cancelled(held: tuple[Held, list[Future[str]]]) -> None:
    calls, futures = held
    cancelled = [future.cancel() for future in futures]
    calls.free.set()

    assert cancelled == [False] * SHARE + [True] * 2 * SHARE
    assert [future.result(60) for future in futures[:SHARE]] == ["done"] * SHARE
    with pytest.raises(CancelledError):
        futures[-1].result(60)


def test_calls_of_one_lane_are_begun_in_their_order() -> None:
    lanes, begun = Lanes("test", threads=4, share=1), list[int]()
    for number in range(50):
        lanes.of("one").submit(begun.append, number)
    last = lanes.of("one").submit(len, begun).result(60)
    lanes.close(60)

    assert (last, begun) == (50, list(range(50)))


def test_a_lane_that_has_more_to_do_goes_on_behind_the_others() -> None:
    lanes, held, begun = Lanes("test", threads=1, share=1), Held(), list[str]()
    lanes.of("busy").submit(held)
    futures = [lanes.of(key).submit(begun.append, key) for key in ("busy", "busy", "other")]
    held.free.set()
    for future in futures:
        future.result(60)
    lanes.close(60)

    assert begun == ["other", "busy", "busy"]


def test_closing_waits_for_what_was_begun_and_cancels_the_rest(
    lanes: Lanes, held: tuple[Held, list[Future[str]]]
) -> None:
    calls, futures = held
    closing = threading.Thread(target=lanes.close, args=[60])
    closing.start()
    until(lambda: all(future.cancelled() for future in futures[SHARE:]), "the rest to be cancelled")
    assert closing.is_alive()
    calls.free.set()
    closing.join(60)

    assert [future.result(0) for future in futures[:SHARE]] == ["done"] * SHARE
    with pytest.raises(RuntimeError):
        lanes.of("stuck").submit(calls)


def test_what_is_raised_is_the_callers(lanes: Lanes) -> None:
    future = lanes.of("one").submit(lambda: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        future.result(60)
    assert lanes.of("one").submit(lambda: "next").result(60) == "next"


@pytest.mark.parametrize("step", ["set_running_or_notify_cancel", "set_result"])
def test_a_call_that_has_no_memory_to_end_leaves_its_lane_a_thread(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Else every fsync of the volume would wait for ever, for a thread that is no more."""
    lanes = Lanes("test", threads=2, share=1)
    original, failures = getattr(Future, step), [MemoryError()]

    def exhausted(future: Future[str], *arguments: str) -> object:
        if failures:
            raise failures.pop()
        return original(future, *arguments)

    monkeypatch.setattr(Future, step, exhausted)
    results = [lanes.of("one").submit(lambda: "answer") for _ in range(2)]

    assert [result.result(10) for result in results] == ["answer"] * 2
    assert lanes.close(60)


def test_threads_that_have_nothing_to_do_end() -> None:
    lanes, held = Lanes("test-idle", threads=4, share=4, idle_s=0.05), Held()
    futures = [lanes.of("one").submit(held) for _ in range(4)]
    until(lambda: held.at_work == 4, "all threads to be at work")
    held.free.set()
    until(lambda: not _threads("test-idle"), "the threads to end")

    assert [future.result(0) for future in futures] == ["done"] * 4
    assert lanes.of("one").submit(lambda: "another").result(60) == "another"
    lanes.close(60)


def test_calls_one_after_the_other_take_one_thread() -> None:
    lanes = Lanes("test-one", threads=4, share=4)
    used = set[int]()
    for key in range(50):
        used.add(lanes.of(key).submit(threading.get_ident).result(60))
        until(lambda: bool(lanes._idle), "the thread to be free, which it is after it has given the result")  # noqa: SLF001
    lanes.close(60)

    assert len(used) == 1


def test_a_call_comes_while_a_thread_is_about_to_end() -> None:
    lanes = Lanes("test", threads=1, share=1, idle_s=0.0005)
    for number in range(2000):
        assert lanes.of("one").submit(int, number).result(60) == number
        if number % 2:
            time.sleep(0.0005)
    assert lanes.close(60)


def test_where_no_thread_can_be_had_the_others_do_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lanes, held = Lanes("test", threads=4, share=4), Held()
    first = lanes.of("one").submit(held)
    until(lambda: held.at_work == 1, "a thread to be at work")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", _refused)
        second = lanes.of("one").submit(lambda: "later")
        with pytest.raises(RuntimeError):
            Lanes("none", threads=1, share=1).of("one").submit(held)
    held.free.set()

    assert (first.result(60), second.result(60)) == ("done", "later")
    assert lanes.close(60)


def test_where_threads_have_no_memory_to_begin_the_others_do_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lanes, held = Lanes("test", threads=4, share=4), Held()
    first = lanes.of("one").submit(held)
    until(lambda: held.at_work == 1, "a thread to be at work")
    with starved(monkeypatch) as died:
        second = lanes.of("one").submit(lambda: "later")
        with pytest.raises(RuntimeError):
            Lanes("none", threads=1, share=1).of("one").submit(held)
    held.free.set()

    assert (first.result(60), second.result(60), len(died)) == ("done", "later", 2)
    assert len([lanes.of("one").submit(lambda: "next").result(60) for _ in range(9)]) == 9
    assert lanes.close(60)


def test_while_a_thread_has_no_memory_to_begin_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    lanes, held = Lanes("test", threads=4, share=1), Held()
    first = lanes.of("one").submit(held)
    until(lambda: held.at_work == 1, "a thread to be at work")
    starving = threading.Event()
    patient = threading.Thread(target=lambda: (starving.wait(60), lanes.of("two").submit(held)), daemon=True)
    patient.start()
    with starved(monkeypatch, patience_s=60) as died:
        starving.set()
        until(lambda: len(died) == 1, "a thread to have died")
        held.free.set()

        assert first.result(60) == "done"
        assert lanes.close(30)


def test_what_is_given_up_is_cancelled_at_once_where_there_is_no_thread_to_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lanes, held = Lanes("test", threads=1, share=1, patience_s=60), Held()
    first, second = (lanes.of("one").submit(held) for _ in range(2))
    until(first.running, "the first call")
    with starved(monkeypatch):
        assert second.cancel()
    held.free.set()
    assert first.result(60) == "done"
    assert lanes.close(60)


def test_a_call_that_does_not_return_is_not_waited_for_longer_than_asked(
    lanes: Lanes, held: tuple[Held, list[Future[str]]]
) -> None:
    assert not lanes.close(0.01)
    assert not lanes.close(0)
    assert [future.cancelled() for future in held[1]] == [False] * SHARE + [True] * 2 * SHARE


def test_what_waits_for_its_turn_is_not_cancelled() -> None:
    lanes, held = Lanes("test", threads=1, share=1, patience_s=60), Held()
    first, second = (lanes.of("one").submit(held) for _ in range(2))
    until(first.running, "the first call")

    assert not second.cancel()
    held.free.set()
    assert (first.result(60), second.result(60)) == ("done", "done")
    assert lanes.close(60)


def test_however_many_are_given_up_one_thread_waits_for_them() -> None:
    lanes, held = Lanes("test-many", threads=1, share=1, patience_s=5), Held()
    first, *rest = (lanes.of("one").submit(held) for _ in range(20))
    until(first.running, "the first call")
    for future in rest:
        future.cancel()

    names = [thread.name for thread in threading.enumerate() if thread.name.startswith("test-many")]
    assert sorted(names) == ["test-many", "test-many-patience"]
    held.free.set()
    assert lanes.close(60)


def test_what_was_given_up_is_cancelled_once_its_lane_is_stuck() -> None:
    lanes, held = Lanes("test", threads=2, share=1, patience_s=0.2), Held()
    first, second, third = (lanes.of("stuck").submit(held) for _ in range(3))
    until(first.running, "the first call")
    second.cancel()
    until(second.cancelled, "the second call to be cancelled")

    assert lanes.of("other").submit(lambda: "answer").result(60) == "answer"
    assert third.cancel()
    held.free.set()
    assert first.result(60) == "done"
    assert lanes.close(60)


def test_nobody_looks_after_a_call_that_has_begun_for_as_long_as_it_takes() -> None:
    """A call that hangs can't be cancelled, while the lane's others come and go."""
    lanes, held = Lanes("begun", threads=2, share=2, patience_s=0.5), Held()
    first = lanes.of("one").submit(held)
    until(first.running, "the call that hangs")
    assert not first.cancel()

    def is_left_alone() -> bool:
        lanes.of("one").submit(lambda: None).result(60)
        return "begun-patience" not in [thread.name for thread in threading.enumerate()]

    until(is_left_alone, "nobody to look", seconds=10)
    held.free.set()
    assert first.result(60) == "done"
    assert lanes.close(60)


def test_what_was_given_up_is_cancelled_also_where_there_was_no_memory_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    lanes, held = Lanes("test", threads=1, share=1, patience_s=0.2), Held()
    first, second = (lanes.of("stuck").submit(held) for _ in range(2))
    until(first.running, "the first call")
    done, failures = Future.done, [MemoryError()]

    def exhausted(future: Future[str]) -> bool:
        if failures:
            raise failures.pop()
        return done(future)

    monkeypatch.setattr(Future, "done", exhausted)
    second.cancel()

    until(second.cancelled, "the second call to be cancelled", seconds=10)
    held.free.set()
    assert first.result(60) == "done"
    assert lanes.close(60)


def test_a_lane_is_not_stuck_where_the_process_was_stopped() -> None:
    """So a program on a machine that stood still, or is busy, gets no EINTR."""
    program = """
import os, signal, sys, threading
from katafs.mount.lanes import Lanes
lanes, free, begun = Lanes("test", threads=1, share=1, patience_s=1), threading.Event(), threading.Event()
first = lanes.of("one").submit(lambda: (begun.set(), free.wait()))
second = lanes.of("one").submit(lambda: "done")
begun.wait()
os.kill(os.getpid(), signal.SIGSTOP)
second.cancel()
free.set()
print("cancelled" if second.cancelled() else second.result())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        stopped_s = time.monotonic()
        until(lambda: time.monotonic() - stopped_s > 1.5, "it to have been stopped for longer than there is patience")
        process.send_signal(signal.SIGCONT)
        assert process.communicate(timeout=60)[0] == "done\n"


def test_the_end_of_the_process_does_not_wait_for_a_call() -> None:
    program = """
import threading
from katafs.mount.lanes import Lanes
reached = threading.Event()
Lanes("test", threads=1, share=1).of(None).submit(lambda: (reached.set(), threading.Event().wait()))
reached.wait()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def _threads(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def _refused(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")
