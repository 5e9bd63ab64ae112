"""An avatar's test run in a container, in two ways: its sandbox mounted, and its sandbox sent there and back by tar.

Both save files and store the run by the same storer, run the same script as the same user, and leave the same binary.
"""

import os
import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.table import Comparison
from katafs.config import Sandboxes
from katafs.kata_id import VolumeName
from katafs.storers.plain import PlainStorer
from katafs.storers.storer import OUTPUT, Delta
from katafs.volumes.docker import DockerStore
from tests.harness.engine import IMAGE, Engine
from tests.harness.programs import run

_AVATAR = "lion"
_MOUNTED, _PIPED = "0000000001", "0000000002"
_USER = "65534:65534"
_NOW = (2016, 8, 29, 10, 0, 0)
_BINARY = "hiker.o"
_BINARY_BYTES = 1 << 20
_SAYS = "expected 42, got 54"
_SCRIPT = f"test -e {_BINARY} || head -c {_BINARY_BYTES} /dev/urandom > {_BINARY}\necho {_SAYS}\n"

FILES = {
    "cyber-dojo.sh": _SCRIPT,
    **{f"hiker_{number}.c": "int answer(void) { return 6 * 9; }\n" * 50 for number in range(10)},
    OUTPUT: "",
}


def cycles(engine: Engine, rounds: int) -> list[Comparison]:
    """Each way's whole cycle, in turns, on a kata of its own; the first run of each isn't counted."""
    compared = Comparison(
        "test run in a container, 12 files and 1 MB of binaries: tar in, chown, run, tar out; the sandbox mounted"
    )
    empty = Comparison("of that, a container that does nothing")
    _let_everybody_run_programs(engine)
    store = DockerStore(base_url=engine.url)
    try:
        piped, mounted = _Piped(engine, store), _Mounted(engine, store)
        for number in range(rounds + 1):
            for way, seconds in ((piped, compared.without), (mounted, compared.katafs)):
                took = _cycle(way, number)
                if number > 0:
                    seconds.append(took)
            if number > 0:
                empty.without.append(_timed(lambda: engine.run("true", mounts=[])))
    finally:
        store.close()
    return [compared, empty]


def _let_everybody_run_programs(engine: Engine) -> None:
    """The image's own directories are closed to all but root."""
    container = engine.cli("create", "--network=none", IMAGE, "chmod", "0755", "/", "/bin").stdout.strip()
    engine.cli("start", "--attach", container)
    engine.cli("commit", container, IMAGE)
    engine.remove_container(container)


class _Way:
    """One kata with one avatar."""

    def __init__(self, engine: Engine, store: DockerStore, kata: str, sandboxes: Sandboxes) -> None:
        self.engine = engine
        self.store = store
        self.kata = kata
        self.storer = PlainStorer(store, sandboxes)
        self.storer.create_kata(manifest(kata))
        self.storer.start_avatar(kata, [_AVATAR])

    def path(self, volume: str) -> Path:
        """Where a volume's data is."""
        descriptor = self.store.open(VolumeName(volume))
        try:
            return Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        finally:
            os.close(descriptor)

    @property
    def sandbox(self) -> Path:
        """Where the sandbox is on this host."""
        raise NotImplementedError

    def run_tests(self) -> str:
        """What the script prints in a container of its own. What it leaves is in the sandbox then."""
        raise NotImplementedError


class _Mounted(_Way):
    """The container has the avatar's volume."""

    def __init__(self, engine: Engine, store: DockerStore) -> None:
        super().__init__(engine, store, _MOUNTED, Sandboxes.AVATAR)
        run(["chown", "-R", _USER, self.sandbox])

    @property
    def sandbox(self) -> Path:
        return self.path(f"{self.kata}_{_AVATAR}")

    def run_tests(self) -> str:
        mount = f"{self.store.location(VolumeName(f'{self.kata}_{_AVATAR}'))},target=/sandbox"
        options = ["--rm", "--network=none", f"--user={_USER}", "--workdir=/sandbox", f"--mount={mount}"]
        return self.engine.cli("run", *options, IMAGE, "sh", "cyber-dojo.sh").stdout


class _Piped(_Way):
    """The container has nothing, and gets everything by tar, as where katas are directories of a server."""

    def __init__(self, engine: Engine, store: DockerStore) -> None:
        super().__init__(engine, store, _PIPED, Sandboxes.KATA)

    @property
    def sandbox(self) -> Path:
        return self.path(self.kata) / _AVATAR / "sandbox"

    def run_tests(self) -> str:
        sandbox = shlex.quote(str(self.sandbox))
        container = self.engine.start_container("sleep", "3600", mounts=[])
        try:
            self.engine.cli("exec", container, "mkdir", "/sandbox")
            self._pipe(f"tar -c -C {sandbox} . | docker exec -i {container} tar -x -C /sandbox")
            self.engine.cli("exec", container, "chown", "-R", _USER, "/sandbox")
            running = ["exec", f"--user={_USER}", "--workdir=/sandbox", container, "sh", "cyber-dojo.sh"]
            output = self.engine.cli(*running).stdout
            self._pipe(f"docker exec {container} tar -c -C /sandbox . | tar -x -C {sandbox}")
        finally:
            self.engine.remove_container(container)
        return output

    def _pipe(self, script: str) -> None:
        run(["bash", "-euo", "pipefail", "-c", script], env=self.engine.env)


def manifest(kata: str) -> Mapping[str, object]:
    """A kata's, with the files that each avatar starts with."""
    return {"id": kata, "created": list(_NOW), "language": "C (gcc)", "tab_size": 4, "visible_files": FILES}


def _cycle(way: _Way, number: int) -> float:
    files = {**FILES, "hiker_0.c": f"int answer(void) {{ return {number}; }}\n"}
    seconds = _timed(lambda: _save_run_store(way, files))
    if way.storer.tags(way.kata, _AVATAR)[-1]["output"] != f"{_SAYS}\n":
        raise RuntimeError("the test run stored another output than the script's")
    if (way.sandbox / _BINARY).stat().st_size != _BINARY_BYTES:
        raise RuntimeError("the test run left no binary in the sandbox")
    return seconds


def _save_run_store(way: _Way, files: Mapping[str, str]) -> None:
    way.storer.sandbox_save(way.kata, _AVATAR, Delta(changed=["hiker_0.c"]), files)
    output = way.run_tests()
    way.storer.avatar_ran_tests(way.kata, _AVATAR, files, _NOW, output, "red")


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
