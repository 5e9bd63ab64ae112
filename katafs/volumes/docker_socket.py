"""HTTP over the engine's socket, for Docker's client, whose own leaves a socket open when nobody listens.

Says why nobody does in the system's words, which the client buries three exceptions deep.
"""

import socket
from typing import Any

import requests.adapters
import urllib3.connection
import urllib3.connectionpool

from katafs.errors import StoreUnreachable

_KEPT_CONNECTIONS = 32
"""More than threads that ask at a time: urllib3 warns of each connection that it doesn't keep."""


class SocketAdapter(requests.adapters.HTTPAdapter):
    """Sends every request of a session to one socket. Raises StoreUnreachable where nobody listens."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._pool = _Pool(path)

    def get_connection_with_tls_context(self, *_request: Any, **_settings: Any) -> "_Pool":  # noqa: ANN401  # unused
        """The pool, whatever the address."""
        return self._pool

    def get_connection(self, *_request: Any, **_settings: Any) -> "_Pool":  # noqa: ANN401  # unused
        """The same for requests before 2.32."""
        return self._pool

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:  # noqa: ANN401  # unused
        """Only the path: there is no proxy on the way to a socket."""
        return request.path_url

    def close(self) -> None:
        """Close the idle connections."""
        super().close()
        self._pool.close()


class _Pool(urllib3.connectionpool.HTTPConnectionPool):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", maxsize=_KEPT_CONNECTIONS)
        self._path = path

    def _new_conn(self) -> "_Connection":
        return _Connection(self._path)


class _Connection(urllib3.connection.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(self.timeout)
            connection.connect(self._path)
        except OSError as problem:
            connection.close()
            reason = problem.strerror or str(problem)
            raise StoreUnreachable(f"no answer from the Docker Engine at unix://{self._path}: {reason}") from problem
        self.sock = connection
