"""A private Docker Engine: its own data, sockets and processes below one directory, and no network at all.

Its only image is made here of a static busybox, since there is no registry to pull from.
"""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.harness import needs, programs, waiting
from tests.harness.mount_table import mounts_below, tear_off
from tests.harness.places import fresh_directory, remove_directory

IMAGE = "busybox:katafs"

_START_S = 60.0
_END_S = 60.0


class Engine:
    """A dockerd that the test may stop, kill and start again; its volumes outlive that."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._log = directory / "dockerd.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._has_image = False
        self.socket = directory / "sock"

    @property
    def url(self) -> str:
        """What DOCKER_HOST has to be."""
        return f"unix://{self.socket}"

    @property
    def env(self) -> dict[str, str]:
        """The environment that makes any Docker client use this engine."""
        return {"DOCKER_HOST": self.url}

    def start(self) -> None:
        """Start it and wait until it answers. Raises AssertionError, with its log, where it doesn't."""
        config = self._directory / "daemon.json"
        config.write_text(json.dumps({"features": {"buildkit": False}}))
        argv = [
            *("setpriv", "--pdeathsig=TERM"),  # a test process that is killed takes it along
            "dockerd",
            f"--config-file={config}",  # not the machine's own
            f"--data-root={self._directory}/data",
            f"--exec-root={self._directory}/exec",
            f"--pidfile={self._directory}/pid",
            f"--host={self.url}",
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
            "--storage-driver=vfs",  # the one that works on any file system, in a container too
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        try:
            waiting.until(self._answers_or_ended, "the engine to answer", _START_S)
            assert self._process.poll() is None, "the engine ended"
        except AssertionError as problem:
            raise AssertionError(f"{problem}; its log:\n{self._log.read_text()[-8000:]}") from None

    def stop(self) -> None:
        """End it as an operator does; its containers end too."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a warning; its containers go on."""
        self._end(signal.SIGKILL)
        # Its containerd dies with it. Under an init that doesn't reap, dockerd would take the zombie for a running one.
        (self._directory / "exec/containerd/containerd.pid").unlink(missing_ok=True)

    def restart(self) -> None:
        """Stop it and start it."""
        self.stop()
        self.start()

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def cli(self, *args: str, status: int | None = 0) -> programs.Finished:
        """Run the docker program against this engine."""
        return programs.run(["docker", *args], env=self.env, status=status)

    def client(self) -> docker.DockerClient:
        """A new client, the caller's to close."""
        return docker.DockerClient(base_url=self.url, version="auto", timeout=60)

    def volumes(self) -> set[str]:
        """The names of all its volumes."""
        return set(self.cli("volume", "ls", "--quiet").stdout.split())

    def run(self, *command: str, mounts: list[str], timeout: float = programs.DEADLINE_S) -> str:
        """What the command prints in a container of its own, with `mounts` as `docker run --mount` wants them."""
        options = [option for mount in mounts for option in ("--mount", mount)]
        argv = ["docker", "run", "--rm", "--network=none", *options, IMAGE, *command]
        return programs.run(argv, env=self.env, timeout=timeout).stdout

    def start_container(self, *command: str, mounts: list[str], restart: str = "no") -> str:
        """The id of a container that runs the command in the background, until `remove_container`."""
        options = [option for mount in mounts for option in ("--mount", mount)]
        return self.cli(
            "run", "--detach", "--network=none", f"--restart={restart}", *options, IMAGE, *command
        ).stdout.strip()

    def remove_container(self, container: str) -> None:
        """End a container and remove it; its named volumes stay."""
        self.cli("rm", "--force", container)

    def make_image(self) -> None:
        """Import the one image: busybox under all of its names."""
        programs.run(["docker", "import", "-", IMAGE], env=self.env, stdin=_busybox_tar())
        self._has_image = True

    def clean_up(self) -> None:
        """End whatever still runs, and delete everything."""
        if self._has_image and not self.runs:
            self.start()  # only an engine can end the containers of the one that was killed
        if self.runs:
            containers = self.cli("ps", "--all", "--quiet").stdout.split()
            if containers:
                self.cli("rm", "--force", *containers)
            self.stop()
        self._end_left_processes()
        for mount in reversed(mounts_below(self._directory)):
            tear_off(Path(mount.path))
        remove_directory(self._directory)

    def _answers_or_ended(self) -> bool:
        # Not by Docker's own client: where the engine isn't there yet, that leaves an open socket behind.
        if not self.runs:
            return True
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_START_S)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b" 200 OK" in connection.recv(100)
            except (FileNotFoundError, ConnectionError):
                return False

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_END_S)
            raise AssertionError(f"the engine didn't end; its log:\n{self._log.read_text()[-8000:]}") from None

    def _end_left_processes(self) -> None:
        # A killed engine leaves its containerd and the shims of its containers, all of them named after its directory.
        for pid in self._processes():
            os.kill(pid, signal.SIGKILL)
        waiting.until(lambda: not self._processes(), "the engine's processes to end", _END_S)

    def _processes(self) -> list[int]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if os.fsencode(self._directory) + b"/" in words and int(process.name) != os.getpid():
                found.append(int(process.name))
        return found


def _busybox_tar() -> bytes:
    busybox = shutil.which("busybox")
    assert busybox is not None
    applets = set(programs.run([busybox, "--list"]).stdout.split()) - {"busybox"}
    with io.BytesIO() as buffer:
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            tar.add(os.path.realpath(busybox), "bin/busybox")
            for applet in sorted(applets):
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        return buffer.getvalue()


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A running engine with its image, one for each test process: its tests carry `xdist_group("docker")`."""
    needs.docker()
    engine = Engine(fresh_directory())
    try:
        engine.start()
        engine.make_image()
        yield engine
    finally:
        engine.clean_up()
