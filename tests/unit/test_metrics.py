"""The server of figures where there are no descriptors for who asks."""

import errno
import itertools
import logging
import socket
import time
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIServer

import pytest

from katafs.observe import metrics
from tests.harness.waiting import until

REST_S = 0.1


def test_who_can_not_be_taken_is_not_asked_for_all_the_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection that waits is readable: its thread would leave the others no time."""
    tries_s: list[float] = []

    def refuse(_: WSGIServer) -> None:
        tries_s.append(time.monotonic())
        raise OSError(errno.EMFILE, "Too many open files")

    caplog.set_level(logging.INFO)
    shown = metrics.Metrics(0)
    port = urlsplit(caplog.records[-1].__dict__["url"]).port
    try:
        with monkeypatch.context() as exhausted:
            exhausted.setattr(WSGIServer, "get_request", refuse)
            exhausted.setattr(metrics, "_REST_S", REST_S)
            with socket.create_connection((metrics.ADDRESS, port)) as asking:
                until(lambda: len(tries_s) >= 5, "five tries")
                exhausted.undo()
                asking.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                assert b"200 OK" in asking.recv(100)
    finally:
        shown.close()

    pauses_s = [after - before for before, after in itertools.pairwise(tries_s)]
    assert min(pauses_s) >= REST_S
