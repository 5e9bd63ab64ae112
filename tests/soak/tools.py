"""What a client does with programs: git, tar, rsync, and a container that has the kata's volume."""

import errno
import hashlib
import os
import shutil
from pathlib import Path

from tests.harness.programs import run
from tests.soak.choice import Choice
from tests.soak.entries import entries
from tests.soak.files import seen
from tests.soak.sides import Act, Side

_CONFIG = """[user]
name = soak
email = soak@example.org
[gc]
auto = 0
cruftPacks = false
[pack]
threads = 1
[safe]
directory = *
[init]
defaultBranch = master
"""

_NAMES = 10
_LINES = 12
"""How many names a container has to do with, and what it does with them."""


def write_settings(scratch: Path) -> None:
    """Write what `environment_below` names."""
    _settings(scratch).write_text(_CONFIG)


def environment_below(scratch: Path) -> dict[str, str]:
    """What programs run with on either side: a git that has no settings but these."""
    return {"GIT_CONFIG_GLOBAL": str(_settings(scratch)), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}


def _settings(scratch: Path) -> Path:
    return scratch / "gitconfig"


def git_commit(choice: Choice) -> Act:
    """All that is in the avatar's directory, as a test run; so that the hashes are the same, the date is drawn."""
    avatar, second, tag = choice.avatar(), choice.number(10**9), choice.text()[:40]

    def act(side: Side) -> object:
        date = {"GIT_AUTHOR_DATE": f"{second} +0000", "GIT_COMMITTER_DATE": f"{second} +0000"}
        added = _git(side, avatar, "add", "--all", env=date)
        committed = _git(side, avatar, "commit", "--quiet", "--allow-empty", "--message=run", env=date)
        tagged = _git(side, avatar, "tag", "--force", "--annotate", "--message=run", tag, env=date)
        return added, committed, tagged, _git(side, avatar, "rev-parse", "HEAD", tag)

    return act


def git_look(choice: Choice) -> Act:
    """What git says of the avatar's directory."""
    avatar = choice.avatar()

    def act(side: Side) -> object:
        return _git(side, avatar, "status", "--porcelain"), _git(side, avatar, "log", "--format=%H %s", "-5")

    return act


def git_gc(choice: Choice) -> Act:
    """Pack it, and have it checked."""
    avatar = choice.avatar()

    def act(side: Side) -> object:
        return _git(side, avatar, "gc", "--quiet"), _git(side, avatar, "fsck", "--full", "--strict")

    return act


def git_init(side: Side, avatar: str) -> object:
    """A repository in an avatar's directory. Raises OSError where that isn't there."""
    return _git(side, avatar, "init", "--quiet", "--template=")


def _git(side: Side, avatar: str, *words: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    if not (side.root / avatar / ".git").is_dir() and words[0] != "init":
        raise OSError(errno.ENOENT, "no repository")
    done = run(["git", *words], cwd=side.root / avatar, env={**side.environment, **(env or {})}, status=None)
    return done.status, done.stdout


def tar(choice: Choice) -> Act:
    """A kata out of the root by tar."""
    kata = choice.kata()

    def act(side: Side) -> object:
        archive = side.copies / "archive.tar"
        made = run(["tar", "--xattrs", "-cf", archive, "-C", side.root, kata], env=side.environment, status=None)
        taken = run(["tar", "--xattrs", "-xpf", archive, "-C", side.copies], env=side.environment, status=None)
        archive.unlink()
        return _taken_away(side, kata, str((made.status, made.stderr, taken.status, taken.stderr)))

    return act


def rsync(choice: Choice) -> Act:
    """A kata out of the root by rsync."""
    kata = choice.kata()

    def act(side: Side) -> object:
        (side.copies / kata).mkdir(parents=True)
        argv = ["rsync", "-aHX", f"{side.root / kata}/", f"{side.copies / kata}/"]
        done = run(argv, env=side.environment, status=None)
        return _taken_away(side, kata, str((done.status, done.stderr)))

    return act


def _taken_away(side: Side, kata: str, said: str) -> dict[bytes, object]:
    found: dict[bytes, object] = {**entries(side.copies / kata), b"what the programs said": said}
    shutil.rmtree(side.copies / os.path.dirname(kata))
    return found


def container(choice: Choice) -> Act:
    """A container changes a kata, and at once the kata must show it."""
    kata = choice.kata()
    names = [choice.inside(more=0.3) for _ in range(_NAMES)]
    lines = "\n".join(f"{_line(choice, names)} 2>/dev/null; echo $?" for _ in range(_LINES))

    def act(side: Side) -> object:
        # Name by name, and before anything is listed: a listing tells the kernel anew what it may have kept wrongly.
        before = [_glance(side.root / kata / name) for name in names]
        said = side.script(kata, lines)
        after = [_glance(side.root / kata / name) for name in names]
        told = {b"before": before, b"what the shell said": said, b"after": after}
        return {**entries(side.root / kata), **told}

    return act


def _glance(path: Path) -> str:
    try:
        return repr((seen(path), hashlib.sha256(path.read_bytes()).hexdigest()))
    except OSError as refusal:
        return errno.errorcode[refusal.errno or 0]


def _line(choice: Choice, names: list[str]) -> str:
    name, other = choice.of(*names), choice.of(*names)
    return choice.of(
        f"{{ printf %s {choice.text()} >{name}; }}",
        f"{{ printf %s {choice.text()} >>{name}; }}",
        f"truncate -s {choice.number(9000)} {name}",
        f"mkdir -p {os.path.dirname(name) or 'tiger'}",
        f"mv -T {name} {other}",
        f"ln -T {name} {other}",
        f"ln -s {other} {name}",
        f"rm -f {name}",
        f"chmod {choice.mode():o} {name}",
        f"chown {choice.owner()}:{choice.owner()} {name}",
        # Not cat: busybox hands pages on without copying them (sendfile), and a truncate that comes next shows in them.
        f"dd if={name} bs=65536 2>/dev/null",
    )
