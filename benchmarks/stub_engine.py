"""An engine that has volumes and nothing else, as many as wanted: what a listing costs without making them first.

Speaks as much of the Docker Engine API as `docker volume ls` and katafs ask for. The whole list is written
once, so the time that a real engine takes to write it is missing from whatever is measured against it.
"""

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_VERSION = "1.41"
_POLL_S = 0.05


@contextmanager
def stub_engine(socket: Path, names: Sequence[str], mountpoint: Path) -> Iterator[str]:
    """Serves at the socket until the block ends; gives its URL. All volumes have their data in one directory."""
    server = _Server(str(socket), _Handler)
    server.volumes = [_volume(name, mountpoint) for name in names]
    server.everything = _body(server.volumes)
    thread = threading.Thread(target=server.serve_forever, args=[_POLL_S])
    thread.start()
    try:
        yield f"unix://{socket}"
    finally:
        server.ending.set()
        server.shutdown()
        thread.join()
        server.server_close()


def matching(volumes: Sequence[dict[str, Any]], filters: str) -> list[dict[str, Any]]:
    """The volumes that one of the filter's patterns for names is found in; a pattern is a regular expression."""
    asked = json.loads(filters)
    if set(asked) != {"name"}:
        raise ValueError(f"the stub filters by name only: {filters}")
    # Docker's own program sends an object of trues where others send an array.
    patterns = [re.compile(pattern) for pattern in asked["name"]]
    return [volume for volume in volumes if any(pattern.search(volume["Name"]) for pattern in patterns)]


def _volume(name: str, mountpoint: Path) -> dict[str, Any]:
    return {
        "CreatedAt": "2016-08-29T10:00:00Z",
        "Driver": "local",
        "Labels": None,
        "Mountpoint": str(mountpoint),
        "Name": name,
        "Options": None,
        "Scope": "local",
    }


def _body(volumes: Sequence[dict[str, Any]]) -> bytes:
    return json.dumps({"Volumes": volumes, "Warnings": None}).encode()


class _Server(ThreadingMixIn, UnixStreamServer):
    volumes: Sequence[dict[str, Any]]
    everything: bytes

    def __init__(self, path: str, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(path, handler)
        self.ending = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_HEAD(self) -> None:
        self._reply(b"")

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path.endswith("/events") and "until" in parse_qs(url.query):
            self._reply(b"")
        elif url.path.endswith("/events"):
            self._reply_never()
        elif url.path.endswith("/_ping"):
            self._reply(b"OK")
        elif url.path.endswith("/version"):
            self._reply(json.dumps({"ApiVersion": _VERSION, "MinAPIVersion": "1.24"}).encode())
        elif url.path.endswith("/containers/json"):
            self._reply(b"[]")
        elif url.path.endswith("/volumes"):
            filters = parse_qs(url.query).get("filters", ["{}"])[0]
            self._reply(self.server.everything if filters == "{}" else _body(matching(self.server.volumes, filters)))
        else:
            self.send_error(404)

    def address_string(self) -> str:
        return "client"  # the base class wants a host

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Say nothing."""

    def _reply(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Api-Version", _VERSION)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _reply_never(self) -> None:
        """The events of an engine in which nothing happens."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.server.ending.wait()
