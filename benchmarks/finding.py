"""The avatars of one kata out of many volumes: asked of the engine, and found by katafs."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import docker

from benchmarks.storers import private_engine
from benchmarks.stub_engine import stub_engine
from benchmarks.table import Comparison
from katafs.kata_id import AVATARS, KataId, VolumeName
from katafs.volumes.docker import DockerStore

_AVATARS_IN_EACH = AVATARS[:3]
_VOLUMES_IN_EACH = 1 + len(_AVATARS_IN_EACH)
_VOLUMES = 50_000
_CALLS = 1000
_DEADLINE_S = 120


def volumes_of(count: int) -> list[VolumeName]:
    """So many names: each kata's own volume and one for each of its three avatars."""
    katas = [f"{number * 0x9E3779B1 % 16**10:010X}" for number in range(1, 2 + count // _VOLUMES_IN_EACH)]
    names = [name for kata in katas for name in (kata, *(f"{kata}_{avatar}" for avatar in _AVATARS_IN_EACH))]
    return [VolumeName(name) for name in names[:count]]


def measure(scratch: Path, rounds: int, scale: float, say: Callable[[str], None]) -> list[Comparison]:
    """Among the volumes of an engine that only says it has them, and of a real one, where they are made."""
    names = volumes_of(max(2 * _VOLUMES_IN_EACH, round(_VOLUMES * scale)))
    data = scratch / "volume"
    data.mkdir()
    say("finding: a stub engine")
    with stub_engine(scratch / "stub", names, data) as url:
        rows = _compared(url, names, rounds, f"{len(names):,} volumes (stub engine)")
    with private_engine(scratch, say) as engine:
        say(f"finding: making {len(names):,} volumes")
        with closing(docker.APIClient(base_url=engine.url, version="auto", timeout=_DEADLINE_S)) as client:
            for name in names:
                client.create_volume(name)
        say("finding: a private engine")
        return rows + _compared(engine.url, names, rounds, f"{len(names):,} volumes (Docker Engine)")


def _compared(url: str, names: Sequence[VolumeName], rounds: int, among: str) -> list[Comparison]:
    kata = KataId(names[len(names) // 2 // _VOLUMES_IN_EACH * _VOLUMES_IN_EACH])
    environment = {**os.environ, "DOCKER_HOST": url}
    docker_ls = ["docker", "volume", "ls", "--quiet", "--filter", f"name=^{kata}"]
    katafs_ls = [sys.executable, "-m", "katafs", "ls", kata, "--volumes", "docker"]
    processes = Comparison(f"avatars of a kata among {among}: `docker volume ls --filter name=^ID`, `katafs ls ID`")
    indexed = Comparison(f"the same in a program that runs, {among}: the API's list with the filter, the index")
    opened = Comparison(f"make that index, once: open the store of {among}")
    for _ in range(rounds):
        processes.without.append(_timed(lambda: _checked(_printed(docker_ls, environment), _VOLUMES_IN_EACH)))
        processes.katafs.append(_timed(lambda: _checked(_printed(katafs_ls, environment), len(_AVATARS_IN_EACH))))
        with closing(docker.APIClient(base_url=url, version="auto", timeout=_DEADLINE_S)) as client:
            ask = {"name": f"^{kata}"}
            indexed.without.append(_timed(lambda: _checked(client.volumes(filters=ask)["Volumes"], _VOLUMES_IN_EACH)))  # noqa: B023
        began = time.perf_counter()
        with closing(DockerStore(base_url=url)) as store:
            opened.katafs.append(time.perf_counter() - began)
            catalog = store.catalog()
            _checked(catalog.avatars_of(kata), len(_AVATARS_IN_EACH))
            indexed.katafs.append(_timed(lambda: [catalog.avatars_of(kata) for _ in range(_CALLS)]) / _CALLS)  # noqa: B023
    return [processes, indexed, opened]


def _printed(command: Sequence[str], environment: dict[str, str]) -> list[str]:
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=_DEADLINE_S)
    return done.stdout.splitlines()


def _checked(found: Sequence[object], wanted: int) -> None:
    if len(found) != wanted:
        raise RuntimeError(f"{wanted} were to be found, and not {found}")


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
