"""Threads that have no memory to begin: CPython ends them before they have said that they run."""

import contextlib
import threading
from collections.abc import Iterator

import pytest

from katafs import threads

_PATIENCE_S = 0.1


@contextlib.contextmanager
def starved(monkeypatch: pytest.MonkeyPatch, patience_s: float = _PATIENCE_S) -> Iterator[list[threading.Thread]]:
    """Let every new thread die before it has begun. Those that have."""
    died: list[threading.Thread] = []

    def die(thread: threading.Thread) -> None:
        died.append(thread)

    with monkeypatch.context() as patched:
        patched.setattr(threads, "_PATIENCE_S", patience_s)
        patched.setattr(threading.Thread, "_bootstrap", die)
        yield died
