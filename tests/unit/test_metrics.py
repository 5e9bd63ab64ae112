"""The server of figures where there are no descriptors for who asks, or no places."""

import errno
import itertools
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIServer

import pytest

from katafs.observe import metrics
from tests.harness.waiting import until

REST_S = 0.1
REQUEST = b"GET /metrics HTTP/1.0\r\n\r\n"


@pytest.fixture
def port(caplog: pytest.LogCaptureFixture) -> Iterator[int]:
    """Where a server of figures is."""
    caplog.set_level(logging.INFO)
    shown = metrics.Metrics(0)
    found = urlsplit(caplog.records[-1].__dict__["url"]).port
    assert found
    yield found
    shown.close()


def said_to(port: int, text: bytes) -> socket.socket:
    """A connection of somebody who has said this."""
    connection = socket.create_connection((metrics.ADDRESS, port))
    connection.settimeout(60)
    connection.sendall(text)
    return connection


@pytest.mark.parametrize("text", [b"", b"GET /met", b"GET /metrics HTTP/1.0\r\nHost: "])
@pytest.mark.parametrize("rounds", [1, 3])
def test_who_asks_nothing_keeps_nobody_out(port: int, text: bytes, rounds: int) -> None:
    with ExitStack() as held:
        for _ in range(rounds * metrics.MOST_ASKING):
            held.enter_context(said_to(port, text))
        for _ in range(2 * metrics.MOST_ASKING):
            with said_to(port, REQUEST) as asking:
                assert b"200 OK" in asking.recv(100)


def test_who_asks_nothing_is_hung_up_on_in_turn(port: int) -> None:
    """Not who came last: that may be who is about to ask."""
    with ExitStack() as held:
        first, *others = [held.enter_context(said_to(port, b"")) for _ in range(metrics.MOST_ASKING + 1)]

        assert first.recv(1) == b""
        for each in others:
            each.sendall(REQUEST)
            assert b"200 OK" in each.recv(100)


def test_who_can_not_be_taken_is_not_asked_for_all_the_time(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that waits is readable: its thread would leave the others no time."""
    tries_ns: list[int] = []  # whole, as two floats of a coarse clock may be less apart than it went on

    def refuse(_: WSGIServer) -> None:
        tries_ns.append(time.monotonic_ns())
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as exhausted:
        exhausted.setattr(WSGIServer, "get_request", refuse)
        exhausted.setattr(metrics, "_REST_S", REST_S)
        with socket.create_connection((metrics.ADDRESS, port)) as asking:
            until(lambda: len(tries_ns) >= 5, "five tries")
            exhausted.undo()
            asking.sendall(REQUEST)
            assert b"200 OK" in asking.recv(100)

    pauses_ns = [after - before for before, after in itertools.pairwise(tries_ns)]
    assert min(pauses_ns) >= REST_S * 1e9
