"""A process in a volume swaps what an ordinary user opens through the mount for a way out of it: nothing leaks."""

import errno
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import needs, waiting
from tests.harness.mount_table import mounts_below, tear_off
from tests.harness.mounted import Mounted
from tests.harness.mounts import Mounts
from tests.harness.programs import NOBODY, in_child
from tests.system import swapper

OPENS = 20_000
HONEST = b"what anybody may read...\n"
SECRET = b"what root alone may read\n"
"""As long as the honest one: the kernel cuts what it reads at the size it was told."""
BRIEFLY_S = 0.002
REFUSALS = {errno.ENOENT, errno.EACCES, errno.ELOOP, errno.ESTALE, errno.ENOTDIR, errno.EXDEV, errno.EPERM}

pytestmark = pytest.mark.xdist_group("races")


@dataclass(frozen=True)
class Scene:
    """A kata's volume with an honest file two directories down, and a secret outside the volume of the same name."""

    mounted: Mounted
    volume: Path
    outside: Path

    @property
    def way(self) -> Path:
        """The directory on the way to the file, in the volume itself."""
        return self.volume / "lion" / "sandbox"

    @property
    def file(self) -> Path:
        """The file, in the volume itself."""
        return self.way / "hiker.py"

    @property
    def secret(self) -> Path:
        """The file outside."""
        return self.outside / "hiker.py"

    @property
    def opened(self) -> Path:
        """The file through the mount."""
        return self.mounted.path / "12" / "3456789A" / "lion" / "sandbox" / "hiker.py"

    def link(self, target: Path | str) -> Path:
        """A symlink beside the directory on the way."""
        link = self.volume / "lion" / "link"
        link.symlink_to(target)
        return link

    def link_in(self, target: Path | str) -> Path:
        """A symlink beside the file."""
        link = self.way / "link"
        link.symlink_to(target)
        return link


@pytest.fixture
def scene(mount: Mounts, disk: Path, request: pytest.FixtureRequest) -> Scene:
    """Everything in it may be passed by everybody, but for the secret's own mode. Names are cached for as long
    as by default, or so briefly that every few opens look up the directory on the way anew."""
    needs.root()
    mounted = mount("--layout", "split", "-o", f"timeout={getattr(request, 'param', 1)}")
    (mounted.path / "12" / "3456789A").mkdir(parents=True)
    # Outside lies on the volume's own file system, where st_dev tells nothing.
    scene = Scene(mounted, disk / "volumes" / "123456789A", disk / "outside")
    scene.way.mkdir(parents=True)
    scene.outside.mkdir()
    scene.file.write_bytes(HONEST)
    scene.secret.write_bytes(SECRET)
    scene.secret.chmod(0o600)
    return scene


@contextmanager
def _attack(kind: str, path: Path, other: Path, swaps: list[int]) -> Iterator[None]:
    """Have the attacker swap meanwhile; `swaps` gets how often it did."""
    attacker = subprocess.Popen(
        [sys.executable, swapper.__file__, kind, str(path), str(other)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert attacker.stdin is not None
    assert attacker.stdout is not None
    try:
        assert attacker.stdout.readline() == b"ready\n"
        yield
        attacker.stdin.close()
        swaps.append(int(attacker.stdout.readline()))
        assert attacker.wait(30) == 0
    finally:
        attacker.kill()
        attacker.wait(30)
        attacker.stdin.close()
        attacker.stdout.close()
        for mount in mounts_below(path):
            tear_off(Path(mount.path))


def _open_many(path: Path, times: int) -> Counter[str]:
    """How often an open of the path led to what. It starts at the directory before the one on the way, so that an open
    costs no more requests than the race needs."""
    os.chdir(path.parent.parent)
    name = os.fspath(path.relative_to(path.parent.parent))
    outcomes: Counter[str] = Counter()
    for _ in range(times):
        try:
            descriptor = os.open(name, os.O_RDONLY)
        except OSError as problem:
            outcomes[errno.errorcode[problem.errno or 0]] += 1
            continue
        try:
            outcomes[_named(os.read(descriptor, 100))] += 1
        except OSError as problem:
            outcomes[f"read: {errno.errorcode[problem.errno or 0]}"] += 1
        finally:
            os.close(descriptor)
    return outcomes


def _named(content: bytes) -> str:
    return {HONEST: "honest", SECRET: "leaked"}.get(content, f"surprise: {content!r}")


def _assert_nothing_leaks(scene: Scene, kind: str, path: Path, other: Path) -> None:
    swaps: list[int] = []
    with _attack(kind, path, other, swaps):
        outcomes = NOBODY.call(_open_many, scene.opened, OPENS)
    assert outcomes["leaked"] == 0, outcomes
    assert set(outcomes) <= {"honest", *(errno.errorcode[number] for number in REFUSALS)}, outcomes
    assert outcomes["honest"] > OPENS // 100, outcomes
    assert swaps[0] > OPENS // 100, outcomes
    waiting.until(lambda: set(in_child(_open_many, scene.opened, 1)) == {"honest"}, "the file to be there again")


def _relative(target: Path, start: Path) -> str:
    return os.path.relpath(target, start)


LINKS: dict[str, Callable[[Path, Path], str]] = {
    "absolute": lambda target, start: str(target),
    "dot-dot": _relative,
    "proc-root": lambda target, start: f"/proc/self/root{target}",
    "proc-cwd": lambda target, start: f"/proc/{os.getpid()}/cwd/{_relative(target, Path.cwd())}",
}


@pytest.mark.parametrize("link", LINKS)
def test_a_file_swapped_with_a_symlink(scene: Scene, link: str) -> None:
    _assert_nothing_leaks(scene, "exchange", scene.file, scene.link_in(LINKS[link](scene.secret, scene.way)))


briefly_cached = pytest.mark.parametrize("scene", [BRIEFLY_S], indirect=True, ids=["briefly-cached"])


@briefly_cached
@pytest.mark.parametrize("link", LINKS)
def test_a_directory_on_the_way_swapped_with_a_symlink(scene: Scene, link: str) -> None:
    _assert_nothing_leaks(scene, "exchange", scene.way, scene.link(LINKS[link](scene.outside, scene.way.parent)))


def test_a_file_swapped_with_a_magic_link_to_a_descriptor(scene: Scene) -> None:
    with scene.secret.open("rb") as secret:
        target = f"/proc/{os.getpid()}/fd/{secret.fileno()}"
        _assert_nothing_leaks(scene, "exchange", scene.file, scene.link_in(target))


def test_a_file_that_another_one_is_mounted_over(scene: Scene) -> None:
    _assert_nothing_leaks(scene, "bind", scene.file, scene.secret)


@briefly_cached
def test_a_directory_on_the_way_that_another_one_is_mounted_over(scene: Scene) -> None:
    _assert_nothing_leaks(scene, "bind", scene.way, scene.outside)


@briefly_cached
def test_a_directory_on_the_way_swapped_with_one_outside(scene: Scene) -> None:
    _assert_nothing_leaks(scene, "exchange", scene.way, scene.outside)


@briefly_cached
def test_a_directory_on_the_way_that_leaves_the_volume_for_a_moment(scene: Scene) -> None:
    _assert_nothing_leaks(scene, "move", scene.way, scene.outside / "away")


def test_a_file_swapped_with_one_outside(scene: Scene) -> None:
    _assert_nothing_leaks(scene, "exchange", scene.file, scene.secret)


@pytest.fixture
def bound(scene: Scene, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """A scene where the file, or the directory on the way, has been mounted over all the time."""
    path, other = {"file": (scene.file, scene.secret), "directory": (scene.way, scene.outside)}[request.param]
    subprocess.run(["mount", "--bind", str(other), str(path)], check=True)
    try:
        yield scene
    finally:
        subprocess.run(["umount", str(path)], check=True)


@pytest.mark.parametrize("bound", ["file", "directory"], indirect=True)
def test_what_is_mounted_in_a_volume_is_not_shown_even_to_root(bound: Scene) -> None:
    outcomes = in_child(_open_many, bound.opened, 10)
    assert outcomes["leaked"] == 0
    assert not [outcome for outcome in outcomes if outcome.startswith(("surprise", "read"))]


@pytest.mark.parametrize("bound", ["directory"], indirect=True)
def test_what_is_mounted_over_a_directory_is_not_listed(bound: Scene) -> None:
    (bound.outside / "only outside").touch()
    try:
        listed = os.listdir(bound.opened.parent)
    except OSError:
        listed = []
    assert "only outside" not in listed


@pytest.mark.parametrize("bound", ["file", "directory"], indirect=True)
def test_what_is_mounted_in_a_volume_is_not_written_to(bound: Scene) -> None:
    try:
        bound.opened.write_bytes(b"written by root")
    except OSError as problem:
        assert problem.errno in REFUSALS  # noqa: PT017  # it may also succeed, on the honest file
    assert bound.secret.read_bytes() == SECRET


def test_a_symlink_is_shown_and_not_followed(scene: Scene) -> None:
    link = scene.link_in(scene.secret)
    shown = scene.opened.parent / link.name
    assert os.readlink(shown) == str(scene.secret)
    with pytest.raises(OSError, match="Too many levels"):
        os.open(shown, os.O_RDONLY | os.O_NOFOLLOW)
    assert _named(NOBODY.call(_content_or_errno, shown)) == "surprise: b'EACCES'"


def _content_or_errno(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        return errno.errorcode[problem.errno or 0].encode()
