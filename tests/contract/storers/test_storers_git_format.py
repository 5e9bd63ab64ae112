"""What GitStorer leaves is what the servers' commands leave, and each goes on with what the other wrote."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from katafs.storers.git import GitStorer
from katafs.storers.git_program import GitProgram
from katafs.storers.storer import Delta
from katafs.volumes.directories import DirectoryStore
from tests.contract.storers.cells import KATA, MANIFEST, NOW, START
from tests.harness import needs
from tests.harness.descriptors import held
from tests.harness.programs import NOBODY, run

TAGS = 20
ENVIRONMENT = {
    "GIT_AUTHOR_DATE": "2016-08-29T10:00:00Z",
    "GIT_COMMITTER_DATE": "2016-08-29T10:00:00Z",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "LC_ALL": "C",
    "TZ": "UTC",
}
Files = dict[str, str]


class Commands:
    """The servers' code, as host-disk has it: one shell command after another."""

    def __init__(self, kata: Path) -> None:
        self._avatar = kata / "lion"

    def start(self) -> None:
        """Start the avatar."""
        self._avatar.mkdir()
        self._shell("git init --quiet")
        self._shell(f"git config user.name 'lion_{KATA}' && git config user.email 'lion@cyber-dojo.org'")
        (self._avatar / "sandbox").mkdir()
        for name, content in START.items():
            self._write(f"sandbox/{name}", content)
            self._shell(f"git add 'sandbox/{name}'")
        self._state(START, [])
        self._shell("git add manifest.json && git add increments.json")
        self._commit(0)

    def run(self, number: int, delta: Delta, files: Files, output: str) -> None:
        """One test run."""
        for name in delta.deleted:
            self._shell(f"git rm --quiet 'sandbox/{name}'")
        for name in (*delta.new, *delta.changed):
            self._write(f"sandbox/{name}", files[name])
        for name in delta.new:
            self._shell(f"git add 'sandbox/{name}'")
        self._write("sandbox/output", output)
        lights = json.loads((self._avatar / "increments.json").read_text())
        self._state({**files, "output": output}, [*lights, {"colour": "red", "time": NOW, "number": number}])
        self._commit(number)

    def _state(self, files: Files, lights: list[object]) -> None:
        for name, value in (("manifest.json", files), ("increments.json", lights)):
            self._write(name, json.dumps(value, ensure_ascii=False, separators=(",", ":")))

    def _commit(self, number: int) -> None:
        self._shell(
            f"git commit -a -m {number} --quiet && git gc --auto --quiet && git tag -m '{number}' {number} HEAD"
        )

    def _write(self, path: str, content: str) -> None:
        target = self._avatar / path
        target.write_text(content)
        if path.endswith(".sh"):
            target.chmod(0o755)

    def _shell(self, script: str) -> None:
        run(["sh", "-c", script], cwd=self._avatar)


class Stored:
    """The same steps, by the storer."""

    def __init__(self, storer: GitStorer) -> None:
        self._storer = storer

    def start(self) -> None:
        """Start the avatar."""
        assert self._storer.start_avatar(KATA, ["lion"]) == "lion"

    def run(self, number: int, delta: Delta, files: Files, output: str) -> None:
        """One test run."""
        self._storer.sandbox_save(KATA, "lion", delta, files)
        lights = self._storer.avatar_ran_tests(KATA, "lion", files, NOW, output, "red")
        assert lights[-1]["number"] == number


Hand = Commands | Stored


@pytest.fixture(autouse=True)
def _same_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: 1472464800.0)


@pytest.fixture
def hands(disk: Path) -> Iterator[Callable[[str], tuple[Path, Commands, Stored]]]:
    """Makes a kata, and both ways to work on it."""
    stores: list[DirectoryStore] = []

    def make(name: str) -> tuple[Path, Commands, Stored]:
        stores.append(DirectoryStore(disk / name, create_missing=True))
        storer = GitStorer(stores[-1])
        storer.create_kata(MANIFEST)
        kata = disk / name / KATA
        return kata / "lion", Commands(kata), Stored(storer)

    yield make
    for store in stores:
        store.close()


def worked(first: Hand, others: tuple[Hand, ...]) -> None:
    """Start the avatar, and run its tests, each time by the next hand; files come, change and go."""
    first.start()
    files = dict(START)
    for number in range(1, TAGS + 1):
        name, gone = f"file {number}.py", f"file {number - 3}.py"
        deleted = [gone] if gone in files else []
        files = {key: content for key, content in files.items() if key not in deleted}
        files |= {name: f"é {number}\n", "hiker.py": f"changed {number}\n", f"run{number % 2}.sh": f"echo {number}\n"}
        new = [name, *([f"run{number % 2}.sh"] if number <= 2 else [])]
        changed = ["hiker.py", *([] if number <= 2 else [f"run{number % 2}.sh"])]
        others[number % len(others)].run(number, Delta(deleted, new, changed), files, f"output {number}\n")


def looks(avatar: Path) -> dict[str, object]:
    """All that a reader of an avatar can see but times; `git fsck` must find nothing."""

    def git(*words: str) -> str:
        return run(["git", "-c", "safe.directory=*", *words], cwd=avatar).stdout

    assert git("fsck", "--full", "--strict") == ""
    return {
        "log": git("log", "--format=%H %an %ae %cn %ce %s"),
        "tags": git("for-each-ref", "--format=%(refname) %(objecttype) %(objectname) %(taggeremail) %(contents)"),
        "index": git("ls-files", "--stage"),
        "status": git("status", "--porcelain"),
        "branch": git("symbolic-ref", "HEAD"),
        "settings": (avatar / ".git/config").read_text(),
        "files": {
            str(path.relative_to(avatar)): (os.stat(path).st_mode, path.read_bytes())
            for path in [avatar / "manifest.json", avatar / "increments.json", *(avatar / "sandbox").iterdir()]
        },
        "entries": sorted(entry.name for entry in avatar.iterdir()),
    }


@pytest.fixture
def wanted(hands: Callable[[str], tuple[Path, Commands, Stored]]) -> dict[str, object]:
    """What the commands alone leave."""
    avatar, commands, _ = hands("commands")
    worked(commands, (commands,))
    return looks(avatar)


@pytest.mark.parametrize("aspect", ["log", "tags", "index", "status", "branch", "settings", "files", "entries"])
def test_the_storer_alone_leaves_what_the_commands_leave(
    hands: Callable[[str], tuple[Path, Commands, Stored]], wanted: dict[str, object], aspect: str
) -> None:
    avatar, _, stored = hands("stored")
    worked(stored, (stored,))
    assert looks(avatar)[aspect] == wanted[aspect]


@pytest.mark.parametrize("first", ["commands", "stored"])
def test_commands_and_storer_in_turn_leave_what_the_commands_leave(
    hands: Callable[[str], tuple[Path, Commands, Stored]], wanted: dict[str, object], first: str
) -> None:
    avatar, commands, stored = hands("both")
    worked(commands if first == "commands" else stored, (commands, stored))
    assert looks(avatar) == wanted


def test_the_storer_reads_every_tag_that_the_commands_made(
    hands: Callable[[str], tuple[Path, Commands, Stored]], disk: Path
) -> None:
    _, commands, _ = hands("commands")
    worked(commands, (commands,))
    store = DirectoryStore(disk / "commands")
    tags = GitStorer(store).tags(KATA, "lion")
    store.close()
    assert [(tag["number"], tag["output"]) for tag in tags] == [
        (0, ""),
        *((number, f"output {number}\n") for number in range(1, TAGS + 1)),
    ]


def test_a_caller_s_own_git_settings_do_not_matter(
    hands: Callable[[str], tuple[Path, Commands, Stored]], disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (disk / "settings").write_text("[user]\nname = me\n[core]\nhooksPath = /dev\n[commit]\ngpgSign = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(disk / "settings"))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "me")
    monkeypatch.setenv("GIT_DIR", str(disk / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(disk / "index"))
    avatar, _, stored = hands("stored")
    stored.start()
    for name in ("GIT_DIR", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name)
    found = run(["git", "-c", "safe.directory=*", "log", "--format=%an %ae %cn"], cwd=avatar).stdout
    assert found == f"lion_{KATA} lion@cyber-dojo.org lion_{KATA}\n"


def test_an_avatar_without_git_is_not_looked_for_in_a_repository_above(
    hands: Callable[[str], tuple[Path, Commands, Stored]], disk: Path
) -> None:
    avatar, commands, stored = hands("stored")
    run(["git", "init", "--quiet"], cwd=disk)
    stored.start()
    (avatar / ".git").rename(disk / "moved")
    store = DirectoryStore(disk / "stored")
    tags = GitStorer(store).tags(KATA, "lion")
    store.close()
    assert (tags, type(commands)) == ([], Commands)


def test_git_runs_in_the_directory_that_is_open_whatever_has_its_path(disk: Path) -> None:
    """Who owns the directory above may move it and put another one there, with a repository that has hooks, say."""
    own, moved = disk / "own", disk / "moved"
    own.mkdir()
    with held(own) as directory:
        git = GitProgram(directory, ("lion", "lion@cyber-dojo.org"))
        git.create_repository()
        own.rename(moved)
        own.mkdir()
        git.run("commit", "--quiet", "--allow-empty", "--message", "0")

    assert (moved / ".git/refs/heads/master").exists()
    assert os.listdir(own) == []


def test_git_runs_nowhere_else_where_the_directory_can_not_be_entered(disk: Path) -> None:
    needs.root()
    own, here = disk / "own", disk / "here"
    for made in (own, here):
        made.mkdir()
        os.chown(made, 65534, 65534)
    own.chmod(0o600)
    with held(own) as directory, pytest.raises(PermissionError):
        NOBODY.call(_git_init, directory, here)
    assert os.listdir(here) == []


def _git_init(directory: int, here: Path) -> None:
    os.chdir(here)
    GitProgram(directory, ("lion", "lion@cyber-dojo.org")).create_repository()
