"""Avatars that are kept with git, as the server's code leaves them."""

import json
from pathlib import Path

from tests.harness.programs import run

GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_DATE": "1472464800 +0000",
    "GIT_COMMITTER_DATE": "1472464800 +0000",
}


def git(avatar: Path, *words: str) -> str:
    """Run the real git on an avatar that the test made itself."""
    return run(["git", "-c", "safe.directory=*", "-C", avatar, *words], env=GIT).stdout


def good_avatar(avatar: Path, text: str = "", tags: int = 2) -> None:
    """An avatar with tags 0… as the server leaves it; `text` is in its files."""
    avatar.mkdir(parents=True)
    git(avatar, "init", "--quiet", "--initial-branch=master")
    git(avatar, "config", "user.name", "lion_123456789A")
    git(avatar, "config", "user.email", "lion@cyber-dojo.org")
    for number in range(tags):
        commit_tag(avatar, number, text)


def commit_tag(avatar: Path, number: int, text: str = "") -> None:
    """One more test run."""
    lights = [{"colour": "red", "time": [2016, 8, 29, 10, 0, n], "number": n} for n in range(1, number + 1)]
    files = {"hiker.c": f"{text} {number}\n" + "int x;\n" * 50, "output": f"{text} said {number}"}
    (avatar / "manifest.json").write_text(json.dumps(files))
    (avatar / "increments.json").write_text(json.dumps(lights))
    git(avatar, "add", "manifest.json", "increments.json")
    git(avatar, "commit", "-a", "-m", str(number), "--quiet")
    git(avatar, "tag", "-m", str(number), str(number), "HEAD")
