"""The servers' code at work on katas that stand on an old disk: the same outcome as on plain ext4, and what was written
is a volume then, and what was only read isn't."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.harness import needs, real_katas
from tests.harness.avatars import git
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.programs import as_user, run
from tests.system.facts import differences, tree_facts
from tests.system.host_disk import Server, inside
from tests.system.legacy import Setting, setting, shown
from tests.system.stores import InEngine

SERVER = as_user(33, 33)
WORKERS = 8
WRITTEN = [f"12ABCDEF{number:02X}" for number in range(4)] + [f"{number:02X}ABCDEF00" for number in range(4)]
READ = ["12ABCDEFFF", "FFABCDEFFF"]
SHARED = "12ABCDEF99"
FILES = {"hiker.py": "answer = 42\n", "cyber-dojo.sh": "cat hiker.py > output\n"}

pytestmark = pytest.mark.timeout(300)

CASES = [
    pytest.param((store, way), id=f"{store}-{way}", marks=[pytest.mark.xdist_group(store)] if store == "docker" else [])
    for store, way in (("directories", "move"), ("docker", "copy"))
]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Iterator[Setting]:
    """Each store, and each way to convert: all four pairs would take twice as long."""
    needs.root()
    needs.programs("git", "tar", "rsync")
    store, way = request.param
    with setting(way, request.getfixturevalue("engine") if store == "docker" else None) as made:
        yield made


@pytest.fixture(scope="module")
def left_behind() -> Iterator[Path]:
    """Katas as the servers' code leaves them on ext4."""
    needs.root()
    needs.programs("git", "tar")
    directory = fresh_directory()
    os.chown(directory, SERVER.uid, SERVER.gid)
    server = Server(directory, SERVER)
    made = server.create_kata(READ[0]) + server.start_avatar("lion", READ[0], FILES)
    made += server.test_run(1, {"hiker.py": "answer = 54\n"}, "lion", READ[0])
    assert _complaints(made) == []
    for kata in [*WRITTEN, *READ[1:], SHARED]:
        assert _complaints(server.shell(f"mkdir -p {kata[:2]} && cp -a {inside(READ[0])} {inside(kata)}")) == []
    yield directory
    remove_directory(directory)


def _complaints(transcript: str) -> list[str]:
    return [line for line in transcript.splitlines() if line.startswith("status ") and line != "status 0"]


def _work(server: Server, kata: str) -> str:
    """What a laptop has the server do in the course of a session, on a kata and what is beside it."""
    path = inside(kata)
    done = server.shell(f"test -d {path}; stat -c %F:%a:%u {kata[:2]} {path}; ls 12 | grep ^ABCDEFF")
    done += server.shell(f"cd {path} && ls -F | grep / | tr -d /; mkdir lion")
    done += server.shell(f"cat {inside(READ[0])}/manifest.json; git -C {inside(READ[1])}/lion log --format=%H")
    done += server.start_avatar("wolf", kata, FILES)
    done += server.test_run(2, {"hiker.py": f"answer = '{kata}'\n", "new.py": ""}, "lion", kata)
    done += server.shell("git rm --quiet sandbox/new.py && git gc --quiet && git fsck --full", f"{path}/lion")
    done += server.commit(3, "lion", kata)
    done += server.shell("git show 1:manifest.json; git diff --find-copies-harder 1 2 sandbox", f"{path}/lion")
    done += server.shell(f"mkdir {inside(SHARED)}/{'lion' if kata == WRITTEN[0] else f'of-{kata}'}")
    done += server.shell(f"tar -zcf {kata}.tgz {path} && tar -tzf {kata}.tgz | sort && rm {kata}.tgz")
    done += server.write(f"12/note-{kata}", "a stray of today's")
    return done


def test_eight_at_work_on_old_katas(case: Setting, left_behind: Path) -> None:
    reference = case.directory / "reference"
    for root in (reference, case.old.path):
        run(["cp", "-a", f"{left_behind}/.", root])
    mounted = case.mounted().path
    assert differences(shown(reference), shown(mounted)) == ""
    assert case.store.names() == {"katafs_root"}

    with ThreadPoolExecutor(WORKERS) as workers:
        wanted = list(workers.map(lambda kata: _work(Server(reference, SERVER), kata), WRITTEN))
        found = list(workers.map(lambda kata: _work(Server(mounted, SERVER), kata), WRITTEN))

    for kata, theirs, ours in zip(WRITTEN, wanted, found, strict=True):
        assert ours == theirs, kata
    assert "answer = '12ABCDEF00'" in wanted[0]
    assert differences(shown(reference), shown(mounted)) == ""
    assert [kata for kata in [*WRITTEN, SHARED] if not case.is_converted(kata)] == []
    assert [kata for kata in READ if not case.is_untouched(kata)] == []


def test_real_katas_on_an_old_disk(case: Setting) -> None:
    # Each set with one of the stores: the larger one takes its time.
    reference = case.directory / "katas"
    real_katas.unpack(f"katas-{'89' if isinstance(case.store, InEngine) else 'red'}", case.directory)
    run(["cp", "-a", f"{reference}/.", case.old.path])
    mounted = case.mounted().path
    wanted = {path: facts for path, facts in tree_facts(reference).items() if path != b"."}
    outers = [path for path in wanted if len(path) == 2]
    before = {path: facts for path, facts in tree_facts(mounted).items() if path not in (b".", *outers)}
    assert differences({path: wanted[path] for path in wanted if path not in outers}, before) == ""
    assert run(["rsync", "-aHAXnc", "--delete", "--itemize-changes", f"{reference}/", f"{mounted}/"]).stdout == ""
    katas = sorted(f"{path.parent.name}{path.name}" for path in reference.glob("??/????????"))

    for kata in katas[::2]:
        for root in (reference, mounted):
            for repository in sorted((root / inside(kata)).glob("*/.git"))[:1]:
                _commit(repository.parent)
            (root / inside(kata) / "new.txt").write_text("new")

    assert differences(shown(reference), shown(mounted)) == ""
    assert [kata for kata in katas[::2] if not case.is_converted(kata)] == []
    assert [kata for kata in katas[1::2] if not case.is_untouched(kata)] == []


def _commit(avatar: Path) -> None:
    (avatar / "sandbox/new.txt").write_text("new")
    git(avatar, "add", "sandbox/new.txt")
    git(avatar, "-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "new")
    git(avatar, "fsck", "--full")
