"""A thread for calls that may never return."""

import subprocess
import sys
import threading
from concurrent.futures import Future

import pytest

from katafs.mount.daemon_thread import DaemonThread
from tests.harness.waiting import until


def test_calls_are_made_in_their_order() -> None:
    thread, made = DaemonThread("test"), list[int]()
    for number in range(50):
        thread.submit(made.append, number)
    thread.submit(made.append, 50).result(60)
    thread.close()

    assert made == list(range(51))


def test_what_is_raised_is_the_callers() -> None:
    thread = DaemonThread("test")
    with pytest.raises(ZeroDivisionError):
        thread.submit(lambda: 1 // 0).result(60)
    assert thread.submit(lambda: "next").result(60) == "next"
    thread.close()


def test_closing_cancels_what_was_not_begun_and_waits_for_nothing() -> None:
    thread, free = DaemonThread("test"), threading.Event()
    begun: Future[bool] = thread.submit(free.wait, 60)
    until(begun.running, "the first call")
    rest = thread.submit(free.wait, 60)
    thread.close()
    thread.close()

    assert (begun.done(), rest.cancelled()) == (False, True)
    with pytest.raises(RuntimeError):
        thread.submit(free.wait)
    free.set()
    assert begun.result(60)


def test_the_end_of_the_process_does_not_wait_for_a_call() -> None:
    program = """
import threading
from katafs.mount.daemon_thread import DaemonThread
reached = threading.Event()
DaemonThread("test").submit(lambda: (reached.set(), threading.Event().wait()))
reached.wait()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
