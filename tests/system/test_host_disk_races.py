"""Laptops that race for the same animal, and archives made right after a commit."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.mounts import Mounts
from tests.harness.programs import as_user, run
from tests.system.host_disk import KATA, Server, Twins, inside

RACERS = 8
ROUNDS = 50
ROOT = as_user(0, 0)
AVATARS = ("bear", "lion", "wolf", "zebra")

# `read` returns for every racer at once, when the last holder of the pipe's other end closes it.
_PLAIN = """
read go
for avatar in bear lion wolf zebra; do
    mkdir $avatar 2>/dev/null && echo $avatar && mkdir $avatar/sandbox && echo '[]' > $avatar/increments.json
done
true
"""
_JUDGED_BY_WHAT_IT_PRINTS = """
read go
for avatar in bear lion wolf zebra; do
    if [ -n "$(mkdir -vp $avatar)" ]; then
        echo $avatar && mkdir $avatar/sandbox && echo '[]' > $avatar/increments.json
    fi
done
"""


def _race(directory: Path, script: str) -> list[str]:
    """Let the racers run the script, all at once, in the directory; the names that any of them printed, sorted."""
    waiting_end, starting_end = os.pipe()
    racers = [
        subprocess.Popen(
            ["sh", "-c", script],
            cwd=directory,
            stdin=waiting_end,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(RACERS)
    ]
    os.close(waiting_end)
    os.close(starting_end)
    started = []
    for racer in racers:
        out, err = racer.communicate(timeout=60)
        assert (racer.returncode, err) == (0, "")
        started += out.split()
    return sorted(started)


@pytest.mark.parametrize("sandboxes", ["kata", "avatar"])
@pytest.mark.parametrize("script", [_PLAIN, _JUDGED_BY_WHAT_IT_PRINTS], ids=["mkdir", "mkdir-vp"])
def test_every_avatar_is_started_exactly_once(mount: Mounts, sandboxes: str, script: str) -> None:
    katas = mount("--layout", "split", "--sandboxes", sandboxes).path
    for number in range(ROUNDS):
        kata = katas / "12" / f"{number:08X}"
        kata.mkdir(parents=True)

        assert _race(kata, script) == list(AVATARS)

        assert sorted(os.listdir(kata)) == list(AVATARS)
        assert [sorted(os.listdir(kata / avatar)) for avatar in AVATARS] == [["increments.json", "sandbox"]] * 4


def test_every_kata_is_created_by_exactly_one(mount: Mounts) -> None:
    katas = mount("--layout", "split").path
    names = [f"{number:08X}" for number in range(4)]
    script = f"read go; for name in {' '.join(names)}; do mkdir $name 2>/dev/null && echo $name; done; true"
    for number in range(ROUNDS):
        outer = katas / f"{number:02X}"
        outer.mkdir()

        assert _race(outer, script) == names

        assert sorted(os.listdir(outer)) == names


def test_tar_right_after_a_commit_never_sees_a_change(twins: Twins, disk: Path) -> None:
    server = twins.mounted
    assert _failures(server.create_kata() + server.start_avatar()) == []
    # So that garbage is collected a few times on the way, and done before the commit returns.
    configured = server.shell("git config gc.auto 40 && git config gc.autoDetach false", f"{inside(KATA)}/lion")
    assert _failures(configured) == []
    archive = disk / "archives" / "lion.tgz"
    archive.parent.mkdir()
    archive.parent.chmod(0o777)
    for tag in range(1, 51):
        assert _failures(server.test_run(tag, {"hiker.py": f"answer = {tag}\n"})) == []
        # tar reads nothing where the archive is /dev/null, so it is a file.
        assert server.shell(f"tar -zcf {archive} {inside(KATA)}/lion") == "status 0\nstdout:\nstderr:\n"
    assert _packs(server) > 0


def _failures(transcript: str) -> list[str]:
    return [line for line in transcript.splitlines() if line.startswith("status ") and line != "status 0"]


def _packs(server: Server) -> int:
    packs = server.katas / inside(KATA) / "lion" / ".git" / "objects" / "pack"
    return len(list(packs.glob("*.pack")))


def test_an_archive_made_right_after_a_commit_is_whole(mount: Mounts, disk: Path) -> None:
    needs.root()
    needs.programs("git", "tar")
    server = Server(mount("--layout", "split").path, ROOT)
    assert _failures(server.create_kata() + server.start_avatar()) == []
    for tag in range(1, 11):
        transcript = server.test_run(tag, {"hiker.py": f"answer = {tag}\n"})
        transcript += server.shell(f"tar -zcf {disk}/lion.tgz {inside(KATA)}/lion")
        assert _failures(transcript) == []
        unpacked = disk / f"unpacked-{tag}"
        unpacked.mkdir()
        run(["tar", "-xzf", disk / "lion.tgz", "-C", unpacked])
        avatar = unpacked / inside(KATA) / "lion"
        run(["git", "-C", avatar, "fsck", "--full", "--strict"])
        assert run(["git", "-C", avatar, "show", f"{tag}:sandbox/hiker.py"]).stdout == f"answer = {tag}\n"
