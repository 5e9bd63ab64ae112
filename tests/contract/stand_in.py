"""A stand-in for engines that no test machine has: too old, out of order, overrun by events. Real HTTP at a socket."""

import json
import sys
import threading
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

_POLL_S = 0.05
"""How long ending it may take."""


class StandIn:
    """Serves its `answers` until its block ends."""

    def __init__(self, path: Path) -> None:
        self.url = f"unix://{path}"
        self.version: Any = {"ApiVersion": "1.41"}
        self.info = {"ServerVersion": "20.10.24+dfsg1", "DockerRootDir": str(path.parent)}
        self.volumes: list[str] = []
        self.events: Iterable[dict[str, Any]] = ()
        """Sent, one after the other, to whoever follows; then the connection stays open."""
        self.past: list[dict[str, Any]] = []
        """What has happened already."""
        self.refusal: str | None = None
        """What a request that would change something is told."""
        self.listings = 0
        self.requests: list[str] = []
        """The paths that were asked for."""
        self.ending = threading.Event()
        stand_in = self

        class Handler(_Handler):
            engine = stand_in

        self._server = _Server(str(path), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=[_POLL_S])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.ending.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str) -> Any:  # noqa: ANN401  # any JSON
        """What a request that changes nothing is told; None where there is no such thing."""
        if path == "/version":
            return self.version
        if path.endswith("/info"):
            return self.info
        if path.endswith("/volumes"):
            self.listings += 1
            return {"Volumes": [{"Name": name, "Driver": "local", "Mountpoint": "/none"} for name in self.volumes]}
        return []

    def change(self, method: str, path: str, details: Any) -> tuple[int, Any]:  # noqa: ANN401
        """The status and the answer of a request that would change something."""
        return 500, {"message": self.refusal}

    def happened(self, since_s: float, until_s: float) -> list[dict[str, Any]]:
        """What is sent to whoever asks what has happened between two times."""
        return [event for event in self.past if since_s * 1e9 <= event["timeNano"] <= until_s * 1e9]

    def happening(self, since_s: float) -> Iterator[dict[str, Any]]:
        """What one follower is sent that asks for what has happened since, until its connection is to end."""
        yield from self.events
        self.ending.wait()


class _Server(ThreadingMixIn, UnixStreamServer):
    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  # the base class's
        """Let a store hang up in the middle of an answer, but nothing else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine: StandIn

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.engine.requests.append(path)
        if path.endswith("/events"):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            query = parse_qs(urlsplit(self.path).query)
            since_s, until = float(query["since"][0]), query.get("until")
            if until:
                self._send(self.engine.happened(since_s, float(until[0])))
                self.wfile.write(b"0\r\n\r\n")
            else:
                self._send(self.engine.happening(since_s))
                self.close_connection = True
        else:
            answer = self.engine.answer(path)
            self._reply(404 if answer is None else 200, {"message": "no such thing"} if answer is None else answer)

    def _send(self, events: Iterable[dict[str, Any]]) -> None:
        """Each in a chunk of its own."""
        for event in events:
            line = json.dumps(event).encode() + b"\n"
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")

    def do_POST(self) -> None:
        self._change()

    def do_DELETE(self) -> None:
        self._change()

    def _change(self) -> None:
        path = urlsplit(self.path).path
        self.engine.requests.append(path)
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        details = json.loads(sent) if sent else None
        self._reply(*self.engine.change(self.command, path, details))

    def address_string(self) -> str:
        return "client"  # the base class wants a host

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Say nothing."""

    def _reply(self, status: int, answer: Any) -> None:  # noqa: ANN401  # any JSON
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
