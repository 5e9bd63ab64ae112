"""A container with a volume mounted, and the mount: each sees at once what the other writes."""

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import needs, waiting
from tests.harness.engine import Engine
from tests.harness.mounted import PROGRAM
from tests.harness.mounts import Mounts, mounting
from tests.harness.other_mounts import memory_disk, sharing
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.programs import run
from tests.harness.status import status_of
from tests.system.stores import InEngine

TIMES = 5
"""How often a test repeats what a stale cache would show only most of the time."""

pytestmark = pytest.mark.xdist_group("docker")


@dataclass(frozen=True)
class Container:
    """A container that runs until the test ends, with one volume at /v."""

    engine: Engine
    name: str

    def shell(self, script: str) -> str:
        """What the script prints in the container; it begins in the volume."""
        return self.engine.cli("exec", "--workdir=/v", self.name, "sh", "-ec", script).stdout


@dataclass(frozen=True)
class Shared:
    """A kata on the mount, and a container that has the kata's volume."""

    kata: Path
    container: Container


@pytest.fixture(scope="module")
def shared(engine: Engine) -> Iterator[Shared]:
    """Every test here has names of its own, so that one container serves them all."""
    directory = fresh_directory()
    store = InEngine(engine).emptied()
    with mounting(directory) as mount:
        mounted = mount("--layout", "split", volumes=store.volumes, env=store.env)
        kata = mounted.path / "12" / "3456789A"
        kata.mkdir(parents=True)
        name = engine.start_container("sleep", "3600", mounts=["type=volume,source=123456789A,target=/v"])
        try:
            shared = Shared(kata, Container(engine, name))
            # The daemon hears of the container from the engine's events, which come when they come.
            waiting.until(lambda: _a_change_shows_at_once(shared), "changes to show at once")
            yield shared
        finally:
            engine.remove_container(name)
    store.emptied()
    remove_directory(directory)


def _a_change_shows_at_once(shared: Shared) -> bool:
    before = shared.container.shell("echo >> probe; wc -c < probe")
    assert (shared.kata / "probe").exists()
    after = shared.container.shell("echo >> probe; wc -c < probe")
    assert int(after) == int(before) + 1
    return (shared.kata / "probe").stat().st_size == int(after)


def test_the_status_counts_the_volume_as_live(shared: Shared) -> None:
    status = status_of(shared.kata.parents[1])

    assert status["volumes"] == {"total": 2, "live": 1, "idle": 1}
    assert (status["store"]["url"], status["store"]["reachable"]) == ("docker", True)


def test_the_mount_sees_a_containers_file(shared: Shared) -> None:
    shared.container.shell(
        "mkdir from-container && echo content > from-container/file && chmod 0640 from-container/file"
    )
    path = shared.kata / "from-container" / "file"
    assert path.read_text() == "content\n"
    assert path.stat().st_mode & 0o7777 == 0o640


def test_a_container_sees_the_mounts_file(shared: Shared) -> None:
    (shared.kata / "from-mount").mkdir()
    (shared.kata / "from-mount" / "file").write_text("content\n")
    (shared.kata / "from-mount" / "file").chmod(0o640)
    assert shared.container.shell("cat from-mount/file; stat -c %a from-mount/file") == "content\n640\n"


def test_the_mount_sees_at_once_what_a_container_appends(shared: Shared) -> None:
    path = shared.kata / "appended-inside"
    wanted = ""
    for number in range(TIMES):
        shared.container.shell(f"echo line {number} >> appended-inside")
        wanted += f"line {number}\n"
        assert path.stat().st_size == len(wanted)
        assert path.read_text() == wanted


def test_a_container_sees_at_once_what_the_mount_appends(shared: Shared) -> None:
    with (shared.kata / "appended-outside").open("ab", buffering=0) as file:
        for number in range(TIMES):
            file.write(b"line %d\n" % number)
            assert shared.container.shell("tail -n 1 appended-outside") == f"line {number}\n"


def test_the_mount_sees_at_once_what_a_container_writes_in_place(shared: Shared) -> None:
    path = shared.kata / "overwritten"
    for number in range(TIMES):
        shared.container.shell(f"printf %05d {number} > overwritten")
        assert path.read_text() == f"{number:05d}"


def test_an_open_file_shows_at_once_what_a_container_writes(shared: Shared) -> None:
    (shared.kata / "held-open").write_text("00000")
    with (shared.kata / "held-open").open("rb") as file:
        for number in range(1, TIMES + 1):
            assert len(os.pread(file.fileno(), 100, 0)) == 5
            shared.container.shell(f"printf %05d {number} | dd of=held-open conv=notrunc 2> /dev/null")
            assert os.pread(file.fileno(), 100, 0) == b"%05d" % number


def test_an_open_file_grows_at_once(shared: Shared) -> None:
    (shared.kata / "growing").write_text("")
    with (shared.kata / "growing").open("rb", buffering=0) as file:
        for number in range(TIMES):
            shared.container.shell(f"echo line {number} >> growing")
            assert file.read() == b"line %d\n" % number


def test_the_mount_sees_at_once_what_a_container_removes(shared: Shared) -> None:
    for number in range(TIMES):
        path = shared.kata / f"removed-inside-{number}"
        path.touch()
        assert path.exists()
        shared.container.shell(f"rm {path.name}")
        assert not path.exists()
        assert path.name not in os.listdir(shared.kata)


def test_a_container_sees_at_once_what_the_mount_removes(shared: Shared) -> None:
    shared.container.shell("touch removed-outside")
    (shared.kata / "removed-outside").unlink()
    assert shared.container.shell("ls | grep -c removed-outside || true") == "0\n"


def test_the_mount_sees_at_once_what_a_container_renames(shared: Shared) -> None:
    for number in range(TIMES):
        old, new = shared.kata / f"old-inside-{number}", shared.kata / f"new-inside-{number}"
        old.write_text("content")
        assert old.exists()
        shared.container.shell(f"mv {old.name} {new.name}")
        assert (old.exists(), new.read_text()) == (False, "content")


def test_the_mount_sees_at_once_a_file_that_a_container_renames_over(shared: Shared) -> None:
    path = shared.kata / "renamed-over"
    for number in range(TIMES):
        shared.container.shell(f"echo {number} > temporary && mv temporary renamed-over")
        assert path.read_text() == f"{number}\n"


def test_a_container_sees_at_once_what_the_mount_renames(shared: Shared) -> None:
    shared.container.shell("echo content > old-outside")
    (shared.kata / "old-outside").rename(shared.kata / "new-outside")
    assert shared.container.shell("cat new-outside; test ! -e old-outside") == "content\n"


def test_the_mount_sees_at_once_what_a_container_makes_executable(shared: Shared) -> None:
    for number in range(TIMES):
        path = shared.kata / f"executable-{number}"
        path.touch(0o644)
        assert path.stat().st_mode & 0o111 == 0
        shared.container.shell(f"chmod 0755 {path.name}")
        assert path.stat().st_mode & 0o7777 == 0o755


def test_a_container_runs_the_tests_where_they_are(shared: Shared) -> None:
    sandbox = shared.kata / "lion" / "sandbox"
    sandbox.mkdir(parents=True)
    (sandbox / "cyber-dojo.sh").write_text("echo expected 42, got 54 > output\n")
    shared.container.shell("cd lion/sandbox && sh cyber-dojo.sh")
    assert (sandbox / "output").read_text() == "expected 42, got 54\n"


def test_one_outer_dir_is_piped_into_a_container(shared: Shared) -> None:
    (shared.kata / "piped").write_text("content\n")
    docker = f"docker exec -i {shared.container.name} tar -x -C /tmp"
    katas = shared.kata.parent.parent
    script = f"tar -C {katas} -c 12 | {docker}"
    shared.container.shell("mkdir -p /tmp")
    run(["sh", "-ec", script], env=shared.container.engine.env)
    assert shared.container.shell("cat /tmp/12/3456789A/piped") == "content\n"


@pytest.fixture
def store(engine: Engine) -> Iterator[InEngine]:
    """An engine that runs and has no kata but the module's own."""
    store = InEngine(engine)
    yield store
    for name in ("ABCDEF0123", "ABCDEF0123_lion"):
        engine.cli("volume", "rm", "--force", name)


@pytest.fixture
def katas(mount: Mounts, store: InEngine) -> Path:
    """A split mount of the engine's volumes."""
    return mount("--layout", "split", volumes=store.volumes, env=store.env).path


def test_a_volume_that_docker_made_shows_up(katas: Path, store: InEngine) -> None:
    store.engine.cli("volume", "create", "ABCDEF0123")
    waiting.until(lambda: (katas / "AB" / "CDEF0123").is_dir(), "the kata to be found")
    waiting.until(lambda: "AB" in os.listdir(katas), "its outer dir to be listed")
    assert os.listdir(katas / "AB") == ["CDEF0123"]
    store.engine.run("sh", "-c", "echo inside > /v/file", mounts=["type=volume,source=ABCDEF0123,target=/v"])
    assert (katas / "AB" / "CDEF0123" / "file").read_text() == "inside\n"


def test_a_volume_that_docker_removed_is_gone(katas: Path, store: InEngine) -> None:
    (katas / "AB" / "CDEF0123").mkdir(parents=True)
    assert "ABCDEF0123" in store.names()
    store.engine.cli("volume", "rm", "ABCDEF0123")
    waiting.until(lambda: not (katas / "AB" / "CDEF0123").exists(), "the kata to be gone")
    waiting.until(lambda: os.listdir(katas / "AB") == [], "the kata to be gone from its outer dir")
    with pytest.raises(FileNotFoundError):
        (katas / "AB" / "CDEF0123" / "file").touch()
    (katas / "AB").rmdir()


def test_a_backup_keeps_what_is_in_volumes_that_are_hidden(mount: Mounts, store: InEngine, disk: Path) -> None:
    """Their disk was unmounted lazily, and the engine goes on."""
    needs.root()
    needs.programs("rsync")
    mounted = mount("--layout", "split", volumes=store.volumes, env=store.env)
    mounted.expect("volumes are not here")
    kata, backup = mounted.path / "AB" / "CDEF0123", disk / "backup"
    kata.mkdir(parents=True)
    (kata / "file").write_text("kept")
    command = ["rsync", "--archive", "--delete", f"{mounted.path}/", str(backup)]
    run(command)

    with memory_disk(store.directory("ABCDEF0123").parent.parent):
        waiting.until(lambda: _errno_of(kata) == errno.EIO, "the kernel to forget the kata")
        again = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert again.returncode == 23, again.stderr  # and nothing was deleted
    assert (backup / "AB" / "CDEF0123" / "file").read_text() == "kept"
    waiting.until(lambda: (kata / "file").exists(), "the kata to be back")
    assert (kata / "file").read_text() == "kept"
    shutil.rmtree(kata.parent)


def test_a_container_that_binds_the_directory_above_sees_the_next_mount(
    mount: Mounts, store: InEngine, disk: Path
) -> None:
    """One that binds the mount itself keeps the first, which is dead."""
    needs.root()
    above = disk / "above"
    (above / "katas").mkdir(parents=True)
    binds = [
        f"type=bind,source={path},target=/above{path.name},bind-propagation=rslave" for path in (above, above / "katas")
    ]

    def listed(path: str) -> str:
        return store.engine.cli("exec", container, "ls", path, status=None).stdout

    with sharing(above):
        first = mount("--prefix", "above-", at=above / "katas", volumes=store.volumes, env=store.env)
        (above / "katas" / "ABCDEF0123").mkdir()
        container = store.engine.start_container("sleep", "3600", mounts=binds)
        try:
            assert listed("/aboveabove/katas") == listed("/abovekatas") == "ABCDEF0123\n"
            first.expect("Transport endpoint")
            first.signal(signal.SIGKILL)
            first.ended(status=-signal.SIGKILL)
            mount("--prefix", "above-", at=above / "katas", volumes=store.volumes, env=store.env)
            assert listed("/aboveabove/katas") == "ABCDEF0123\n"
            assert listed("/abovekatas") == ""
        finally:
            store.engine.remove_container(container)
        (above / "katas" / "ABCDEF0123").rmdir()


def test_a_mount_that_would_cover_the_engines_volumes_is_refused(mount: Mounts, store: InEngine) -> None:
    """The daemon would wait for itself."""
    store.engine.cli("volume", "create", "ABCDEF0123")
    volumes = store.directory("ABCDEF0123").parent.parent
    mounted = mount("-o", "nonempty", at=volumes.parent, volumes=store.volumes, env=store.env, ready=False)

    mounted.ended(status=4)
    assert f"{volumes.parent}: would cover {volumes}, which is to be shown there" in mounted.log()


def _errno_of(path: Path) -> int:
    try:
        path.stat()
    except OSError as problem:
        return problem.errno or 0
    return 0


def test_a_removed_kata_is_no_volume_any_more(katas: Path, store: InEngine) -> None:
    (katas / "AB" / "CDEF0123").mkdir(parents=True)
    (katas / "AB" / "CDEF0123").rmdir()
    assert "ABCDEF0123" not in store.names()
    (katas / "AB").rmdir()


def test_a_kata_that_a_container_uses_is_busy(katas: Path, store: InEngine) -> None:
    kata = katas / "AB" / "CDEF0123"
    kata.mkdir(parents=True)
    container = store.engine.start_container("sleep", "3600", mounts=["type=volume,source=ABCDEF0123,target=/v"])
    try:
        with pytest.raises(OSError) as caught:  # noqa: PT011  # the errno is looked at below
            kata.rmdir()
        assert caught.value.errno == errno.EBUSY
        assert kata.is_dir()
    finally:
        store.engine.remove_container(container)
    kata.rmdir()
    kata.parent.rmdir()


def test_a_sandbox_of_its_own_is_what_a_container_mounts(mount: Mounts, store: InEngine) -> None:
    katas = mount("--layout", "split", "--sandboxes", "avatar", volumes=store.volumes, env=store.env).path
    sandbox = katas / "AB" / "CDEF0123" / "lion" / "sandbox"
    sandbox.mkdir(parents=True)
    (sandbox / "file").write_text("outside\n")
    assert {"ABCDEF0123", "ABCDEF0123_lion"} <= store.names()

    script = "cat /v/file; ls /v; echo inside > /v/output"
    out = store.engine.run("sh", "-ec", script, mounts=["type=volume,source=ABCDEF0123_lion,target=/v"])

    assert out == "outside\nfile\n"
    assert (sandbox / "output").read_text() == "inside\n"
    run(["rm", "-r", katas / "AB"])
    assert not {"ABCDEF0123", "ABCDEF0123_lion"} & store.names()


def test_where_names_the_mount_that_a_container_needs(katas: Path, store: InEngine) -> None:
    sandbox = katas / "AB" / "CDEF0123" / "lion" / "sandbox"
    sandbox.mkdir(parents=True)
    (sandbox / "file").write_text("outside\n")

    told = run([*PROGRAM, "where", str(sandbox)], env=store.env).stdout

    [option] = [word for word in told.split() if word.startswith("type=volume,")]
    target = dict(part.partition("=")[::2] for part in option.split(","))["target"]
    found = store.engine.run("find", target, "-name", "file", mounts=[option])
    assert len(found.splitlines()) == 1
