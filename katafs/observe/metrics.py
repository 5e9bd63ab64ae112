"""Figures for Prometheus, on the loopback interface. Imported only where they are shown: its library takes its time.

What is counted everywhere comes from the status, so that the two never differ; how long operations take is measured
here. https://prometheus.io/docs/practices/naming/ has the names' rules.
"""

import contextlib
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from katafs.errors import KatafsError
from katafs.threads import started

_log = logging.getLogger(__name__)

ADDRESS = "127.0.0.1"
_BUCKETS_S = (50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 100e-3, 500e-3, 2.5, 10.0)
"""From what a cached answer takes to what somebody waits for."""

_PATIENCE_S = 5
"""For the next bytes of a request."""
_REST_S = 0.5
"""Where there is no descriptor for who asks, or no place."""
MOST_ASKING = 8
"""Each takes a descriptor and a thread of the daemon's. Prometheus is one; and every local user may connect."""

Status = Callable[[], Mapping[str, Any]]
"""Gives the status of now, with the keys of `.katafs/status.json`. Raises OSError, KatafsError where it can't."""


class Metrics:
    """A server of figures, in threads of its own."""

    def __init__(self, port: int) -> None:
        """Listen on the port; 0 is any free one. Raises KatafsError where it is taken."""
        # Of the others nothing would be shown where some are asked for by name: `?name[]=katafs_katas`.
        self._registry = CollectorRegistry(support_collectors_without_names=True)
        ProcessCollector(registry=self._registry)
        self._durations = Histogram(
            "katafs_operation_duration_seconds",
            "Time from an operation's request to its answer.",
            ["operation"],
            registry=self._registry,
            buckets=_BUCKETS_S,
        )
        self._done: dict[str, Callable[[int, int], None]] = {}
        try:
            self._server = make_server(ADDRESS, port, make_wsgi_app(self._registry), _Server, _Handler)
        except OSError as problem:
            raise KatafsError(f"metrics: port {port} of {ADDRESS}: {problem.strerror}") from problem
        self._thread = started(self._server.serve_forever, "katafs-metrics")
        _log.info("metrics", extra={"url": f"http://{ADDRESS}:{self._server.server_port}/metrics"})

    def show(self, status: Status) -> None:
        """Show what the status says too."""
        self._registry.register(_FromStatus(status))

    def note(self, operation: str, _: object) -> Callable[[int, int], None]:
        """For whoever watches operations: whom to tell of an end, its errno and the nanoseconds until then."""
        done = self._done.get(operation)
        if done is None:
            observe = self._durations.labels(operation).observe
            done = self._done[operation] = lambda _, duration_ns: observe(duration_ns / 1e9)
        return done

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


_Request = socket.socket | tuple[bytes, socket.socket]


class _Server(ThreadingMixIn, WSGIServer):
    """Where it has no thread more, hangs up on who has been silent for the longest: who connects and says nothing takes
    nobody's place."""

    daemon_threads = True

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  # the base's
        super().__init__(*arguments, **named)
        self._room = threading.BoundedSemaphore(MOST_ASKING)
        self._lock = threading.Lock()
        """Covers what follows, and that none in it is closed."""
        self._silent: dict[Any, None] = {}
        """Who has connected and not asked yet, in this order."""

    def get_request(self) -> tuple[socket.socket, Any]:
        """As the base has it. One that can't be taken for want of a descriptor waits on, and would be tried anew at
        once, for ever, by a thread that leaves the others no time."""
        try:
            return super().get_request()
        except OSError:
            time.sleep(_REST_S)
            raise

    def process_request(self, request: _Request, client: Any) -> None:  # noqa: ANN401  # the base's
        """As the base has it."""
        if not self._has_room():
            self.shutdown_request(request)
            return
        with self._lock:
            self._silent[request] = None
        try:
            super().process_request(request, client)
        except BaseException:  # there is no thread for it
            self._room.release()
            raise

    def _has_room(self) -> bool:
        if self._room.acquire(blocking=False):
            return True
        with self._lock:
            longest = next(iter(self._silent), None)
            if longest is not None:
                with contextlib.suppress(OSError):  # who has hung up already
                    longest.shutdown(socket.SHUT_RDWR)
        return self._room.acquire(timeout=_REST_S)  # its thread, or another that is done

    def has_asked(self, request: _Request) -> None:
        """It isn't silent any more."""
        with self._lock:
            self._silent.pop(request, None)

    def shutdown_request(self, request: _Request) -> None:
        """As the base has it."""
        self.has_asked(request)
        super().shutdown_request(request)

    def process_request_thread(self, request: _Request, client: Any) -> None:  # noqa: ANN401  # the base's
        """As the base has it."""
        try:
            super().process_request_thread(request, client)
        finally:
            self._room.release()

    def handle_error(self, request: object, client: object) -> None:
        """What somebody does to their own connection is no event."""
        if not isinstance(sys.exc_info()[1], OSError):
            _log.exception("a bug while figures were shown")


class _Handler(WSGIRequestHandler):
    timeout = _PATIENCE_S

    def parse_request(self) -> bool:
        """As the base has it: read the rest of a request."""
        assert isinstance(self.server, _Server)
        is_one = super().parse_request()
        self.server.has_asked(self.connection)
        return is_one

    def log_message(self, *_: object) -> None:
        """The log is for what matters."""


class _FromStatus(Collector):
    """The status in Prometheus' words."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """As Collector has it."""
        try:
            status = self._status()
        except (OSError, KatafsError) as problem:
            _log.warning("no status for the metrics", extra={"error": str(problem)})
            return
        yield from _gauges(status)
        operations = CounterMetricFamily("katafs_operations", "Operations that were asked for.", labels=["operation"])
        for operation, count in status["operations"].items():
            operations.add_metric([operation], count)
        yield operations
        errors = CounterMetricFamily(
            "katafs_errors", "Operations that were answered with an error.", labels=["operation", "errno"]
        )
        for operation, counts in status["errors"].items():
            for number, count in counts.items():
                errors.add_metric([operation, number], count)
        yield errors

    def describe(self) -> list[Metric]:
        """Nothing, so that the registry doesn't ask for the status only to learn the names."""
        return []


def _gauges(status: Mapping[str, Any]) -> Iterator[Metric]:
    info = GaugeMetricFamily("katafs_info", "The version that runs.", labels=["version"])
    info.add_metric([status["version"]], 1)
    yield info
    volumes = GaugeMetricFamily("katafs_volumes", "Volumes; live are those a container has mounted.", labels=["state"])
    for state in ("live", "idle"):
        volumes.add_metric([state], status["volumes"][state])
    yield volumes
    for name, purpose, value in (
        ("uptime_seconds", "Time since the mount began.", status["uptime_s"]),
        ("store_reachable", "Whether the store of volumes can be asked.", status["store"]["reachable"]),
        ("katas", "Katas.", status["katas"]),
        ("nodes", "Inodes that the kernel remembers.", status["nodes"]),
        ("open_files", "Open files.", status["open_files"]),
        ("open_directories", "Open directories.", status["open_directories"]),
        ("kept_descriptors", "Descriptors kept between requests.", status["kept_descriptors"]),
        ("processors_awake", "Whether idle processors are kept from sleeping.", bool(status["processors_awake"])),
    ):
        yield GaugeMetricFamily(f"katafs_{name}", purpose, float(value))
