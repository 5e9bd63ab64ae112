"""A test run as docs/runner.md has it, with its own commands: the storer saves, a container runs, the storer stores."""

import os
import shlex
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from katafs.config import Sandboxes
from katafs.kata_id import ROOT_VOLUME, AvatarName, KataId, avatar_volume
from katafs.namespace import Layout
from katafs.storers.plain import PlainStorer
from katafs.storers.storer import Delta
from katafs.volumes.docker import DockerStore
from katafs.volumes.store import VolumeStore
from katafs.volumes.tree_store import TreeStore
from tests.harness import needs
from tests.harness.engine import IMAGE, Engine
from tests.harness.mounts import Mounts
from tests.harness.pages import Page
from tests.harness.programs import as_user
from tests.system.stores import InEngine

pytestmark = pytest.mark.xdist_group("docker")

PAGE = Page("runner.md")
IN_PAGE = "123456789A"
KATA = "77AAFF0077"
RUNNER_IMAGE = "busybox:runner"
LION = avatar_volume(KataId(KATA), AvatarName("lion"))
NOW = [2016, 8, 29, 10, 0, 0]
LONG_AGO_NS = 1_000_000_000_123_456_789
WWW_DATA = as_user(33, 33)

CYBER_DOJO_SH = """\
test -e stamp && find . -newer stamp -name '*.[ch]' | sed 's/^/built /'
printf '\\377\\000' >> stamp
if grep -q '6 [*] 7' hiker.c; then echo 'All tests passed'; else echo 'expected 42, got 54'; exit 1; fi
"""
"""Builds what is newer than what the last run built, as make does, and leaves a binary."""

FILES = {"hiker.c": "int answer() { return 6 * 9; }\n", "hiker.h": "int answer();\n", "cyber-dojo.sh": CYBER_DOJO_SH}
FIXED = {**FILES, "hiker.c": "int answer() { return 6 * 7; }\n"}
MANIFEST = {"id": KATA, "visible_files": {}}


def documented(command: str) -> list[str]:
    """The words of the page's command, for the kata and the image of the tests."""
    words = shlex.split(command.replace("\\\n", " "))
    return [RUNNER_IMAGE if word == "IMAGE" else word.replace(IN_PAGE, KATA) for word in words]


def start(store: VolumeStore, sandboxes: Sandboxes = Sandboxes.KATA) -> None:
    """Make the kata and the avatar, and save its files."""
    storer = PlainStorer(store, sandboxes)
    storer.create_kata(MANIFEST)
    assert storer.start_avatar(KATA, ["lion"]) == "lion"
    storer.sandbox_save(KATA, "lion", Delta(new=list(FILES)), FILES)


@dataclass
class Server:
    """A server whose katas are volumes of the engine."""

    engine: Engine
    store: DockerStore
    command: list[str]

    @property
    def storer(self) -> PlainStorer:
        return PlainStorer(self.store, Sandboxes.AVATAR)

    @property
    def sandbox(self) -> Path:
        """Where the files are on this host."""
        return InEngine(self.engine).directory(LION)

    def test_run(self, files: dict[str, str]) -> str:
        """One whole test run; what it printed."""
        finished = self.engine.cli(*self.command[1:], status=None)
        assert finished.status in (0, 1), finished
        colour = "green" if "All tests passed" in finished.stdout else "red"
        self.storer.avatar_ran_tests(KATA, "lion", files, NOW, finished.stdout, colour)
        return finished.stdout


@pytest.fixture(scope="module")
def image(engine: Engine) -> None:
    """The image of the runner: an import leaves `/` and `/bin` to root's capabilities, which a test run hasn't."""
    container = engine.cli("create", "--network=none", IMAGE, "chmod", "0755", "/", "/bin").stdout.strip()
    engine.cli("start", "--attach", container)
    engine.cli("commit", container, RUNNER_IMAGE)
    engine.remove_container(container)


@pytest.fixture
def own_volumes(engine: Engine, image: None) -> Iterator[None]:
    """Removes this module's volumes, whatever the test left in them."""
    yield
    engine.cli("volume", "rm", "--force", KATA, LION, ROOT_VOLUME)


@pytest.fixture
def server(engine: Engine, own_volumes: None) -> Iterator[Server]:
    """One whose avatar is ready to run its tests."""
    with closing(DockerStore(base_url=engine.url)) as store:
        start(store, Sandboxes.AVATAR)
        yield Server(engine, store, documented(PAGE.commands("source=123456789A_lion")))


@pytest.fixture
def second(server: Server) -> Server:
    """The same after a first test run a long time ago, and with one file changed since."""
    server.test_run(FILES)
    for path in server.sandbox.iterdir():
        os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    server.storer.sandbox_save(KATA, "lion", Delta(changed=["hiker.c"]), FIXED)
    return server


def test_the_container_runs_what_was_saved(server: Server) -> None:
    assert server.test_run(FILES) == "expected 42, got 54\n"


def test_output_and_colour_are_stored(server: Server) -> None:
    server.test_run(FILES)

    tag = server.storer.tag(KATA, "lion", 1)
    assert (tag["output"], tag["colour"], tag["visible_files"]) == ("expected 42, got 54\n", "red", FILES)


def test_binaries_are_left_in_the_sandbox(server: Server) -> None:
    server.test_run(FILES)

    assert (server.sandbox / "stamp").read_bytes() == b"\xff\x00"


def test_the_next_run_builds_only_what_changed(second: Server) -> None:
    assert second.test_run(FIXED) == "built ./hiker.c\nAll tests passed\n"


def test_the_next_run_leaves_unchanged_files_and_their_times(second: Server) -> None:
    second.test_run(FIXED)

    unchanged = [second.sandbox / name for name in ("hiker.h", "cyber-dojo.sh")]
    assert [path.stat().st_mtime_ns for path in unchanged] == [LONG_AGO_NS] * 2
    assert (second.sandbox / "stamp").read_bytes() == b"\xff\x00\xff\x00"


def test_the_lights_go_from_red_to_green(second: Server) -> None:
    second.test_run(FIXED)

    lights = second.storer.avatar_increments(KATA, "lion")
    assert [light["colour"] for light in lights] == ["red", "green"]


def test_the_container_sees_nothing_but_the_sandbox(server: Server) -> None:
    seen = server.engine.cli(*server.command[1:-2], "ls", "-A").stdout.split()

    assert sorted(seen) == sorted(FILES)


def test_a_second_run_of_the_same_avatar_is_refused(server: Server) -> None:
    first = [word for word in server.command[2:-2] if word != "--rm"]  # which would race with its removal below
    server.engine.cli("run", "--detach", *first, "sleep", "600")
    try:
        assert server.engine.cli(*server.command[1:], status=None).status == 125
    finally:
        server.engine.remove_container(f"{KATA}_lion")


def test_a_part_of_the_katas_volume_is_mounted_where_the_engine_can(engine: Engine, own_volumes: None) -> None:
    with closing(DockerStore(base_url=engine.url)) as store:
        start(store)
    version = engine.cli("version", "--format={{.Server.APIVersion}} {{.Client.APIVersion}}").stdout.split()
    can = min(tuple(map(int, each.split("."))) for each in version) >= (1, 45)

    finished = engine.cli(*documented(PAGE.commands("volume-subpath="))[1:], status=None)

    # An older client refuses the option; with a newer one, an older engine drops it, and finds no cyber-dojo.sh.
    assert finished.stdout == ("expected 42, got 54\n" if can else ""), finished
    assert finished.status in ((1,) if can else (2, 125)), finished


def test_what_a_run_leaves_is_the_servers_own_on_a_mount(engine: Engine, own_volumes: None, mount: Mounts) -> None:
    needs.root()
    katas = mount("--sandboxes", "avatar", volumes="docker", env=engine.env).path
    os.chown(katas, WWW_DATA.uid, WWW_DATA.gid)
    WWW_DATA.call(_start_in_tree, katas)
    words = [
        f"{WWW_DATA.uid}:{WWW_DATA.gid}" if word == "0:0" else word
        for word in documented(PAGE.commands("123456789A_lion,"))
    ]

    output = engine.cli(*words[1:], status=1).stdout
    WWW_DATA.call(_store_in_tree, katas, output)

    stamp = katas / KATA / "lion" / "sandbox" / "stamp"
    assert (stamp.read_bytes(), stamp.stat().st_uid) == (b"\xff\x00", WWW_DATA.uid)
    assert '"output":"expected 42, got 54\\n"' in (katas / KATA / "lion" / "tags" / "1.json").read_text()


def _start_in_tree(katas: Path) -> None:
    with closing(TreeStore(katas, Layout.FLAT)) as store:
        start(store)


def _store_in_tree(katas: Path, output: str) -> None:
    with closing(TreeStore(katas, Layout.FLAT)) as store:
        PlainStorer(store).avatar_ran_tests(KATA, "lion", FILES, NOW, output, "red")
