"""A converter at work, killed and started again, beside a mount that is in use: nobody notices anything of it."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.avatars import commit_tag, good_avatar
from tests.harness.programs import run
from tests.harness.waiting import until
from tests.system.facts import differences
from tests.system.legacy import Setting, setting, shown
from tests.system.readers import Held, Repeated, archive, facts_but, listing, same_facts

STILL = [f"{outer}ABCDEF{number:02X}" for outer in ("12", "34", "56") for number in range(3)]
BUSY = [f"{outer}FFFFFF{number:02X}" for outer in ("12", "34") for number in range(3)]
WRITERS = 2
KILLS = 3
_OLD_NS = 1_333_333_333_123_456_789

pytestmark = pytest.mark.timeout(300)

CASES = [
    pytest.param((store, way), id=f"{store}-{way}", marks=[pytest.mark.xdist_group(store)] if store == "docker" else [])
    for store, way in (("directories", "copy"), ("docker", "move"))
]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Iterator[Setting]:
    """Each store, and each way to convert into it; the old disk is full."""
    needs.root()
    needs.programs("git", "tar")
    store, way = request.param
    with setting(way, request.getfixturevalue("engine") if store == "docker" else None) as made:
        _fill(made.directory / "reference")
        run(["cp", "-a", f"{made.directory}/reference/.", made.old.path])
        yield made


def _fill(top: Path) -> None:
    for kata in STILL:
        sandbox = top / kata[:2] / kata[2:] / "lion" / "sandbox"
        sandbox.mkdir(parents=True)
        (sandbox.parents[1] / "manifest.json").write_text(f'{{"id":"{kata}"}}')
        for number in range(12):
            (sandbox / f"file-{number}").write_text(f"{kata} {number}\n" * 700)
        os.link(sandbox / "file-0", sandbox / "linked")
        (sandbox / "dangling").symlink_to("/nowhere")
    good_avatar(top / "lion", tags=1)
    for kata in BUSY:
        (top / kata[:2] / kata[2:]).mkdir(parents=True)
        run(["cp", "-a", top / "lion", top / kata[:2] / kata[2:]])
    run(["rm", "-r", top / "lion"])
    for stray in (top, top / "12"):
        (stray / "notes").mkdir()
        (stray / "notes" / "note").write_text("content")
        (stray / "readme.txt").write_text("content")
    for path in top.rglob("*"):
        os.utime(path, ns=(_OLD_NS, _OLD_NS), follow_symlinks=False)


class Converter:
    """`katafs convert --all` as a process of its own."""

    def __init__(self, case: Setting) -> None:
        argv = [sys.executable, "-m", "katafs", "convert", "--all", "--jobs", "2"]
        argv += ["--from", str(case.old.path), "--volumes", case.store.volumes]
        self.process = subprocess.Popen(
            argv, env={**os.environ, **case.store.env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def ended(self) -> None:
        """Wait for its good end."""
        output, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, output

    def killed(self) -> None:
        """Kill it, wherever it is."""
        self.process.kill()
        self.process.communicate()


def _left(case: Setting) -> int:
    return sum(case.old.where(kata).exists() for kata in STILL)


def _convert_all(case: Setting, readers: list[Repeated]) -> None:
    """Convert everything, killed a few times on the way, while every reader has a few rounds in each stretch."""
    for stretch in range(KILLS):
        wanted = len(STILL) - 2 * (stretch + 1)
        converter = Converter(case)
        try:
            until(
                lambda converter=converter, wanted=wanted: (
                    _left(case) <= wanted or converter.process.poll() is not None
                ),  # type: ignore[misc]
                "some conversions",
            )
        finally:
            converter.killed()
        rounds = [reader.rounds for reader in readers]
        until(
            lambda rounds=rounds: (
                any(reader.failed for reader in readers)  # type: ignore[misc]
                or all(reader.rounds > before for reader, before in zip(readers, rounds, strict=True))
            ),
            "a round of every reader",
        )
    Converter(case).ended()


class Writers:
    """Commits, now to this kata and now to that, each recorded so that it can be made on another disk, too."""

    def __init__(self, top: Path, katas: list[str]) -> None:
        self._top = top
        self._katas = katas
        self.tags = dict.fromkeys(katas, 0)
        self._turn = 0

    def commit(self) -> None:
        """One more test run."""
        kata = self._katas[self._turn % len(self._katas)]
        self._turn += 1
        self.tags[kata] += 1
        commit_tag(self._top / kata[:2] / kata[2:] / "lion", self.tags[kata])


def test_nobody_notices_a_converter(case: Setting) -> None:
    reference = case.directory / "reference"
    mounted = case.mounted().path
    changing = [f"{kata[:2]}/{kata[2:]}" for kata in BUSY]
    wanted = facts_but(reference, changing)
    outers = {name: listing(reference / name / STILL[0][2:]) for name in ("12", "34", "56")}
    archives = {kata: archive(reference / kata[:2] / kata[2:] / "lion") for kata in STILL}
    top = sorted(os.listdir(reference))
    in_outers = {outer: sorted(os.listdir(reference / outer)) for outer in outers}
    writers = [Writers(mounted, BUSY[number::WRITERS]) for number in range(WRITERS)]

    def look_at_names() -> None:
        assert sorted(os.listdir(mounted)) == top
        for outer, names in in_outers.items():
            assert sorted(os.listdir(mounted / outer)) == names
            assert listing(mounted / outer / STILL[0][2:]) == outers[outer]

    def take_archives() -> None:
        for kata, content in archives.items():
            assert archive(mounted / kata[:2] / kata[2:] / "lion") == content, kata

    def look_from_inside() -> None:
        for descriptor, names in inside.items():
            assert sorted(os.listdir(descriptor)) == names
            assert os.stat("../../manifest.json", dir_fd=descriptor).st_size > 0

    with contextlib.ExitStack() as ends:
        sandboxes = [mounted / kata[:2] / kata[2:] / "lion" / "sandbox" for kata in STILL]
        held = [Held.opened(sandbox / "file-1", ends) for sandbox in sandboxes]
        inside: dict[int, list[str]] = {}
        for sandbox in sandboxes:
            directory = os.open(sandbox, os.O_RDONLY | os.O_DIRECTORY)
            ends.callback(os.close, directory)
            inside[directory] = sorted(os.listdir(directory))
        shell = ends.enter_context(_in_working_directory(sandboxes[-1]))

        def look_at_open_files() -> None:
            for each in held:
                each.look()

        def ask_shell() -> None:
            assert shell.stdin is not None
            assert shell.stdout is not None
            shell.stdin.write("x\n")
            shell.stdin.flush()
            assert shell.stdout.readline() == f"{STILL[-1]} 3 14\n"

        looks = (
            look_at_names,
            take_archives,
            look_from_inside,
            ask_shell,
            look_at_open_files,
            lambda: same_facts(wanted, facts_but(mounted, changing)),
            *(writer.commit for writer in writers),
        )
        readers = [ends.enter_context(Repeated(look)) for look in looks]
        _convert_all(case, readers)
        assert all(each.is_locked() for each in held)

    assert case.old.left() == set()
    assert {*STILL, *BUSY} < case.store.names()
    assert all(count > 0 for writer in writers for count in writer.tags.values())
    for writer in writers:
        for kata, tags in writer.tags.items():
            for tag in range(1, tags + 1):
                commit_tag(reference / kata[:2] / kata[2:] / "lion", tag)
    assert differences(shown(reference), shown(mounted)) == ""


@contextlib.contextmanager
def _in_working_directory(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A shell in the directory that answers each line with what it finds there: a file's first line, and a count."""
    script = (
        "while read go; do first=$(head -n1 file-3) && count=$(ls -A | wc -l) && echo $first $count || exit 1; done"
    )
    shell = subprocess.Popen(
        ["sh", "-c", script], cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield shell
    finally:
        shell.kill()
        shell.communicate()
