"""The calls that a server's host-disk code makes on its katas: the same shell commands, as the same users.

Knows nothing of katafs: a root of katas is a directory. Each call returns a transcript in which the root's own path is
replaced, so that two roots can be compared.
"""

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.harness.programs import User, run
from tests.system.facts import Facts, differences, tree_facts

KATA = "123456789A"
START = {
    "hiker.py": "class Douglas:\n\n    def answer(self):\n        return 6 * 9\n",
    "test_hiker.py": "import hiker\n\ndef test_answer():\n    assert hiker.Douglas().answer() == 42\n",
    "cyber-dojo.sh": "cat hiker.py > output\n",
    "output": "",
    "instructions": "What is the answer to life, the universe, and everything?\n" * 20,
}

_ENVIRONMENT = {
    "GIT_AUTHOR_DATE": "2016-08-29T10:00:00Z",
    "GIT_COMMITTER_DATE": "2016-08-29T10:00:00Z",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "TZ": "UTC",
}


@dataclass(frozen=True)
class Server:
    """A server's code, at work on one root of katas as one user."""

    katas: Path
    user: User

    def shell(self, script: str, cwd: str = ".", stdin: str = "") -> str:
        """What the script prints, and its status. `cwd` is relative to the root."""
        finished = run(
            ["sh", "-c", script],
            cwd=self.katas / cwd,
            env=_ENVIRONMENT,
            stdin=stdin,
            user=self.user,
            status=None,
        )
        transcript = f"status {finished.status}\nstdout:\n{finished.stdout}stderr:\n{finished.stderr}"
        return transcript.replace(str(self.katas), "KATAS")

    def write(self, path: str, content: str) -> str:
        """Open for writing with truncate, write, close; scripts become executable."""
        mode = f"; chmod 0755 '{path}'" if path.endswith(".sh") else ""
        return self.shell(f"cat > '{path}'{mode}", stdin=content)

    def create_kata(self, kata: str = KATA) -> str:
        """Make a kata's directory and write its manifest."""
        path = inside(kata)
        made = self.shell(f"mkdir -p {path}")
        return made + self.write(f"{path}/manifest.json", f'{{"id":"{kata}","visible_files":{{}}}}')

    def start_avatar(self, avatar: str = "lion", kata: str = KATA, files: Mapping[str, str] = START) -> str:
        """Everything that happens when a laptop gets its animal, up to tag 0."""
        path = f"{inside(kata)}/{avatar}"
        done = [self.shell(f"mkdir {path}")]
        done += [
            self.shell(
                f"git init --quiet && git config user.name '{avatar}_{kata}' "
                f"&& git config user.email '{avatar}@cyber-dojo.org' && mkdir sandbox",
                path,
            )
        ]
        for name, content in files.items():
            done += [self.write(f"{path}/sandbox/{name}", content), self.shell(f"git add 'sandbox/{name}'", path)]
        done += [self.write(f"{path}/manifest.json", repr(sorted(files))), self.write(f"{path}/increments.json", "[]")]
        done += [self.shell("git add manifest.json && git add increments.json", path)]
        return "".join(done) + self.commit(0, avatar, kata)

    def commit(self, tag: int, avatar: str = "lion", kata: str = KATA) -> str:
        """Commit all that changed, and tag it."""
        script = f"git commit -a -m {tag} --quiet && git gc --auto --quiet && git tag -m '{tag}' {tag} HEAD"
        return self.shell(script, f"{inside(kata)}/{avatar}")

    def test_run(self, tag: int, changed: Mapping[str, str], avatar: str = "lion", kata: str = KATA) -> str:
        """Save what changed in a sandbox, its manifest and its increments, and commit."""
        path = f"{inside(kata)}/{avatar}"
        done = [self.write(f"{path}/sandbox/{name}", content) for name, content in changed.items()]
        done += [self.shell(f"git add 'sandbox/{name}'", path) for name in changed]
        done += [self.write(f"{path}/manifest.json", repr(sorted(changed.items())))]
        done += [self.write(f"{path}/increments.json", f'[{{"colour":"red","number":{tag}}}]')]
        return "".join(done) + self.commit(tag, avatar, kata)


def inside(kata: str) -> str:
    """The kata's directory below a root of katas."""
    return f"{kata[:2]}/{kata[2:]}"


@dataclass(frozen=True)
class Twins:
    """The same server at work on the disk and on a mount."""

    disk: Server
    mounted: Server

    def both(self, call: Callable[[Server], str]) -> str:
        """Make the call on each, and hold the mount to the disk's transcript, which is returned."""
        wanted = call(self.disk)
        found = call(self.mounted)
        if found != wanted:
            raise AssertionError(f"on the disk:\n{wanted}\non the mount:\n{found}")
        return wanted

    def succeed(self, call: Callable[[Server], str]) -> str:
        """`both`, where no command may fail or complain."""
        transcript = self.both(call)
        statuses = [line for line in transcript.splitlines() if line.startswith("status ")]
        if set(statuses) != {"status 0"}:
            raise AssertionError(f"on the disk and on the mount:\n{transcript}")
        return transcript

    def assert_same_trees(self) -> None:
        """Hold the mount's tree to the disk's."""
        if different := differences(comparable(self.disk.katas), comparable(self.mounted.katas)):
            raise AssertionError(different)


def comparable(root: Path) -> dict[bytes, Facts]:
    """A tree's facts without those in which two runs of the same commands differ on one file system, too."""
    return {path: _comparable(path, facts) for path, facts in tree_facts(root).items()}


def _comparable(path: bytes, facts: Facts) -> Facts:
    facts = dataclasses.replace(facts, mtime_ns=0)
    if facts.kind == "d":
        # git and rsync use temporary names of their own, which a directory may grow by.
        return dataclasses.replace(facts, size_bytes=0, blocks=0)
    if os.path.basename(path) == b"index":
        # git keeps the inode numbers and times of the files in it.
        return dataclasses.replace(facts, content="")
    return facts
