"""The calls to a Docker Engine, and the one place where its client's errors become answers and faults.

Knows nothing of katas: names here are the engine's own.
"""

import contextlib
import errno
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, NotFound
from docker.utils import kwargs_from_env

from katafs.errors import StoreUnreachable
from katafs.volumes.docker_socket import SocketAdapter
from katafs.volumes.docker_stream import Event, EventStream

_log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

Details = Mapping[str, Any]
"""What the engine says of one volume: https://docs.docker.com/engine/api/v1.41/#tag/Volume."""

OLDEST_API = (1, 41)
"""Docker 20.10's."""

_DEFAULT_URL = "unix:///var/run/docker.sock"
_TIMEOUT_S = 10
"""The longest that a call may wait; the engine itself answers within milliseconds."""

_CONFLICT = 409
_FULL = {"no space left on device": errno.ENOSPC, "disk quota exceeded": errno.EDQUOT}
"""Go's words for them, which end what the engine says it couldn't do (zerrors_linux_amd64.go)."""

_NO_ANSWER = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)
"""ValueError: half of an answer isn't JSON."""


class About(NamedTuple):
    """What the engine says of itself."""

    version: str
    """As `20.10.24+dfsg1`."""
    api: str
    """The API spoken with it, as `1.41`."""
    oldest_api: str
    """The oldest that any client may speak with it, as `1.24`."""
    data_root: str
    """The directory on the engine's host that its own volumes are below."""


class Engine:
    """A connection to the engine. Safe for several threads; `connect` may be called again after it was lost."""

    def __init__(self, base_url: str | None = None) -> None:
        """`base_url` as in DOCKER_HOST, which is what counts without it. Nothing is asked of the engine yet."""
        self.url = base_url or os.environ.get("DOCKER_HOST") or _DEFAULT_URL
        self._base_url = base_url
        self._client: docker.APIClient | None = None

    def connect(self) -> None:
        """Agree on an API version. Raises StoreUnreachable where the engine is down, not permitted or too old."""
        with self.faults():
            asker = self._new_client(_version_text(OLDEST_API))
            try:
                version = _version(asker.version(api_version=False))
            finally:
                asker.close()
            if version < OLDEST_API:
                raise StoreUnreachable(
                    f"the Docker Engine at {self.url} is too old: its API is {_version_text(version)}, "
                    f"needed is {_version_text(OLDEST_API)} (Docker 20.10)"
                )
            before, self._client = self._client, self._new_client(_version_text(version))
        if before is not None:
            before.close()

    def close(self) -> None:
        """Close the idle connections; calls under way end as they would have."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def about(self) -> About:
        """What it says of itself."""
        info, apis, api = self._ask(
            lambda client: (client.info(), client.version(api_version=False), client.api_version)
        )
        return About(
            version=str(info.get("ServerVersion")),
            api=str(api),
            oldest_api=str(apis.get("MinAPIVersion")),
            data_root=str(info.get("DockerRootDir")),
        )

    def volumes(self) -> list[Details]:
        """Every volume."""
        listed: list[Details] | None = self._ask(lambda client: client.volumes()["Volumes"])
        return listed or []

    def mounted(self) -> Iterator[tuple[str, str]]:
        """Each volume that a running container has mounted, with that container's id. One that waits to be restarted
        has none: it mounts them anew then, and if it is stopped or removed before, no event tells of it."""
        for container in self._ask(lambda client: client.containers()):
            if container.get("State") == "restarting":
                continue
            for mount in container.get("Mounts", ()):
                if mount.get("Type") == "volume":
                    yield mount["Name"], container["Id"]

    def inspect(self, volume: str) -> Details | None:
        """One volume, or None where there is none of that name."""
        try:
            details: Details = self._ask(lambda client: client.inspect_volume(volume))
        except FileNotFoundError:
            return None
        return details

    def runs(self, container: str) -> bool:
        """Whether a container runs. One that waits to be restarted doesn't, whatever the engine says: see `mounted`."""
        try:
            state = self._ask(lambda client: client.inspect_container(container)["State"])
        except FileNotFoundError:
            return False
        return bool(state["Running"]) and not state.get("Restarting")

    def create(self, volume: str, labels: Mapping[str, str]) -> Details:
        """The volume of that name; where there was one already it is that one, with its own labels.

        Raises FileExistsError where there is one with another driver, OSError(ENOSPC) or OSError(EDQUOT)."""
        try:
            details: Details = self._ask(
                lambda client: client.create_volume(volume, driver="local", labels=dict(labels))
            )
        except OSError as problem:
            if problem.errno == errno.EBUSY:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), volume) from problem
            raise
        except StoreUnreachable as problem:
            full = _fullness(problem.__cause__)
            if full is None:
                raise
            # A program that has no room for a file says so itself; that there is none for a kata is for the operator.
            _log.warning("a volume could not be made", extra={"error": str(problem)})
            raise full from problem
        return details

    def remove(self, volume: str) -> None:
        """Remove a volume and what is in it. Raises FileNotFoundError, and OSError(EBUSY) where a container has it."""
        self._ask(lambda client: client.remove_volume(volume))

    def volume_events(self, since_s: float) -> EventStream:
        """What happens to volumes from now on, and what has happened since (at most the engine's last 256 events).

        `since_s` is in seconds since the epoch."""
        return EventStream(self._ask(lambda client: _stream(client, {"since": f"{since_s:.9f}"}, None)))

    def past_volume_events(self, since_s: float, until_s: float) -> list[Event]:
        """What has happened to volumes between two times, which are past, as far as the engine has kept it."""
        span = {"since": f"{since_s:.9f}", "until": f"{until_s:.9f}"}
        stream = EventStream(self._ask(lambda client: _stream(client, span, _TIMEOUT_S)))
        with self.faults(), contextlib.closing(stream):
            return list(stream)

    def _new_client(self, version: str) -> docker.APIClient:
        settings = {"base_url": self._base_url} if self._base_url else kwargs_from_env()
        client = docker.APIClient(version=version, timeout=_TIMEOUT_S, **settings)
        scheme, _, path = self.url.partition("://")
        if scheme == "unix":
            client.mount(client.base_url, SocketAdapter(path))
        return client

    def _ask(self, question: Callable[[docker.APIClient], Answer]) -> Answer:
        client = self._client
        if client is None:
            raise StoreUnreachable(f"there is no connection to the Docker Engine at {self.url}")
        with self.faults():
            return question(client)

    @contextlib.contextmanager
    def faults(self) -> Iterator[None]:
        """Make answers and faults of what the client raises."""
        try:
            yield
        except NotFound as problem:
            raise FileNotFoundError(errno.ENOENT, problem.explanation) from problem
        except APIError as problem:
            if problem.status_code == _CONFLICT:
                raise OSError(errno.EBUSY, problem.explanation) from problem
            raise StoreUnreachable(f"the Docker Engine at {self.url} refuses: {_one_line(problem)}") from problem
        except _NO_ANSWER as problem:
            raise StoreUnreachable(f"no answer from the Docker Engine at {self.url}: {_one_line(problem)}") from problem


def _fullness(problem: BaseException | None) -> OSError | None:
    """The disk's or the quota's refusal of which the engine tells, in its words."""
    said = str(problem.explanation) if isinstance(problem, APIError) else ""
    return next((OSError(number, said) for words, number in _FULL.items() if words in said), None)


def _stream(client: docker.APIClient, span: Mapping[str, str], timeout_s: float | None) -> requests.Response:
    # Not by the client's own call, whose stream can't be closed completely.
    response: requests.Response = client.get(
        f"{client.base_url}/v{client.api_version}/events",
        params={**span, "filters": json.dumps({"type": ["volume"]})},
        timeout=(_TIMEOUT_S, timeout_s),
        stream=True,
    )
    response.raise_for_status()
    return response


def _version(answer: object) -> tuple[int, ...]:
    version = answer.get("ApiVersion") if isinstance(answer, dict) else None
    if version is None:
        raise ValueError("it names no version of its API")
    return tuple(int(part) for part in str(version).split("."))


def _version_text(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def _one_line(problem: Exception) -> str:
    if isinstance(problem, requests.Timeout):  # its own words name a pool, and a host that isn't asked
        return f"nothing came within {_TIMEOUT_S:g} s"
    text = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
    return " ".join(text.split()) or type(problem).__name__
