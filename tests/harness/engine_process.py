"""A DirectoryEngine in a process of its own, which can be killed and have another one come up in its place.

Run as a program it serves the volumes below its first argument, by the version of the API that is its second.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

import docker

from tests.harness.directory_engine import DirectoryEngine
from tests.harness.waiting import until


class OneVersion(DirectoryEngine):
    """Hangs up on whoever speaks another version of the API, in which real ones answer with an error."""

    def __init__(self, directory: Path, api: str) -> None:
        super().__init__(directory)
        self.version = {"ApiVersion": api, "MinAPIVersion": api}
        self._spoken = f"/v{api}/"

    def answer(self, path: str) -> Any:  # noqa: ANN401  # any JSON
        """As in DirectoryEngine."""
        self._refuse(path)
        return super().answer(path)

    def change(self, method: str, path: str, details: Any) -> tuple[int, Any]:  # noqa: ANN401  # any JSON
        """As in DirectoryEngine."""
        self._refuse(path)
        return super().change(method, path, details)

    def _refuse(self, path: str) -> None:
        if path.startswith("/v1.") and not path.startswith(self._spoken):
            raise ConnectionResetError


class EngineProcess:
    """An engine that comes up, at a path that others may have had before, and goes without a word."""

    def __init__(self, directory: Path, socket: Path, api: str) -> None:
        """`directory` has its `volumes`, its own if there are none yet. Replaces the file `socket`."""
        self.volumes = directory / "volumes"
        self._url = f"unix://{socket}"
        self._api = api
        # A test process that is killed takes it along.
        self._process = Popen(["setpriv", "--pdeathsig=KILL", sys.executable, __file__, str(directory), api])
        until((directory / "up").exists, "the engine to come up")
        os.rename(directory / "sock", socket)

    def make(self, volume: str) -> Path:
        """A volume that somebody else makes; its directory."""
        with contextlib.closing(docker.APIClient(base_url=self._url, version=self._api)) as client:
            client.create_volume(volume, labels={})
        return self.volumes / volume

    def kill(self) -> None:
        """End it, if that wasn't done; the socket's file stays."""
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def engine_process(directory: Path, socket: Path, api: str) -> Iterator[EngineProcess]:
    """An engine that has ended after the block."""
    engine = EngineProcess(directory, socket, api)
    try:
        yield engine
    finally:
        engine.kill()


def _serve(directory: Path, api: str) -> None:
    with OneVersion(directory, api) as engine:
        (directory / "up").touch()
        engine.ending.wait()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), sys.argv[2])
