"""The engine's endless answer: its events, as one thread reads them and another may end that."""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import requests

from katafs.errors import StoreUnreachable

Event = Mapping[str, Any]
"""What the engine tells: https://docs.docker.com/engine/api/v1.41/#operation/SystemEvents."""

_LONGEST_CHUNK_BYTES = 65536
"""A chunk, in which the engine sends one event, is handed on as soon as it is there."""


class EventStream:
    """The engine's events. All but `interrupt` is for one thread."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self._socket = socket.socket(fileno=os.dup(response.raw.fileno()))
        """The connection, for `interrupt`: a response can't be closed while another thread reads from it."""

    def __iter__(self) -> Iterator[Event]:
        """Every event, until the connection ends. Raises StoreUnreachable for what is no event."""
        for line in self._response.iter_lines(chunk_size=_LONGEST_CHUNK_BYTES):
            event = json.loads(line) if line else {}
            if "Type" in event:
                yield event
            elif event:
                raise StoreUnreachable(f"the Docker Engine sends no events: {event.get('message', event)}")

    def interrupt(self) -> None:
        """End the iteration, from any thread."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the engine has ended the connection already, or the reader has closed it

    def close(self) -> None:
        """Close the connection; the iteration must be over."""
        self._socket.close()
        self._response.close()
