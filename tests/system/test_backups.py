"""Backups of a mount by real programs, with docs/operating.md's own commands: a later run reads only what changed,
whether the daemon was started again or not, and what is restored is what was there."""

import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.mounted import Mounted
from tests.harness.mounts import Mounts, mounting
from tests.harness.odd_trees import Description, described
from tests.harness.other_mounts import bound
from tests.harness.own_root import OwnRoot
from tests.harness.pages import Page
from tests.harness.places import fresh_directory, remove_directory
from tests.harness.programs import run
from tests.harness.waiting import until
from tests.system.facts import differences
from tests.system.old_disks import make_kata

PAGE = Page("operating.md")
REAL_KATA = "katas-89"
ODD_KATA = "123456789A"
CHANGED = f"{ODD_KATA[:2]}/{ODD_KATA[2:]}"
LONG_AGO_NS = 1_333_333_333_123_456_789

SECRETS = {"BORG_PASSPHRASE": "secret", "RESTIC_PASSWORD": "secret"}
KEPT_BETWEEN = {"HOME": "/backup/home", "BORG_BASE_DIR": "/backup/home", "XDG_CACHE_HOME": "/backup/home"}
"""Where the programs keep what they know of the last run."""


@dataclass(frozen=True)
class Tool:
    """A program, as the page has it: what its first run needs, its backup, its restoring; and how many files its last
    backup read, by its own word."""

    programs: list[str]
    prepare: str
    backup: str
    restore: str
    files_read: Callable[[str], int]
    reads_always: int = 0
    """Files that it reads at each run by a rule of its own."""


def _numbers(pattern: str) -> Callable[[str], int]:
    """The sum of the numbers in the one line of what a program printed that the expression matches."""

    def files_read(printed: str) -> int:
        (line,) = re.finditer(pattern, printed, re.MULTILINE)
        return sum(int(number.replace(",", "")) for number in line.groups())

    return files_read


def _lines(pattern: str) -> Callable[[str], int]:
    """How many of its lines the expression matches."""
    return lambda printed: len(re.findall(pattern, printed, re.MULTILINE))


_RSYNCD = f"""\
cat >/etc/rsyncd.conf <<'END'
{PAGE.file("ini", "[katas]")}
END
echo 127.0.0.1 server >>/etc/hosts
rsync --daemon
until rsync rsync://server/ >/dev/null; do sleep 0.02; done
"""

_TRANSFERRED = _numbers(r"^Number of regular files transferred: ([\d,]+)$")

TOOLS = {
    "rsync": Tool(
        ["rsync", "mountpoint"],
        "",
        PAGE.commands("rsync -aHAX --numeric-ids --delete --stats /katas/"),
        PAGE.commands("rsync -aHAX --numeric-ids /backup/katas/ /katas/"),
        _TRANSFERRED,
    ),
    "rsync-daemon": Tool(
        ["rsync", "mountpoint"],
        "",
        _RSYNCD + PAGE.commands("rsync://server/katas/"),
        PAGE.commands("rsync -aHAX --numeric-ids /backup/katas/ /katas/"),
        _TRANSFERRED,
    ),
    "borg": Tool(
        ["borg"],
        "borg init --encryption repokey /backup/borg",
        PAGE.commands("borg create"),
        PAGE.commands("borg extract"),
        _lines(r"^[AME] /?katas/"),
        reads_always=1,
    ),
    "restic": Tool(
        ["restic"],
        "restic init --repo /backup/restic",
        PAGE.commands("restic --repo /backup/restic backup"),
        PAGE.commands("restic --repo /backup/restic restore"),
        _numbers(r"^Files: +(\d+) new, +(\d+) changed"),
    ),
    "tar": Tool(
        ["tar"],
        "",
        PAGE.commands("--listed-incremental=/backup/katas.snar") + "tar -tf $(ls /backup/*.tar | tail -n 1)",
        PAGE.commands("--listed-incremental=/dev/null"),
        _lines(r"^katas/.*[^/]$"),
    ),
}


class History:
    """What one program did with one mount: a backup, another one, one after a restart, one after a change, and all of
    it restored into a new store that is mounted at the same place."""

    def __init__(self, tool: Tool, directory: Path, mount: Mounts) -> None:
        self.tool = tool
        self._mount = mount
        self._directory = directory
        for name in ("backup/home", "katas"):
            (directory / name).mkdir(parents=True)
        self._machine = OwnRoot(
            directory,
            {"/katas": directory / "katas", "/backup": directory / "backup"},
            {**SECRETS, **KEPT_BETWEEN},
        )
        mounted = self._mounted("volumes")
        self._fill(mounted.path)
        statuses = [path.lstat() for path in mounted.path.rglob("*")]
        self.files = len({status.st_ino for status in statuses if stat.S_ISREG(status.st_mode)})
        self.first = self._backup(tool.prepare)
        self.second = self._backup()
        mounted = self._restarted(mounted)
        self.after_restart = self._backup()
        self._change(mounted.path)
        self.after_change = self._backup()
        self.wanted = described(mounted.path, atimes=False)
        mounted.stop()
        self.restored = self._restore()

    def volumes(self) -> set[str]:
        """Those of the restored store."""
        return set(os.listdir(self._directory / "restored"))

    def _mounted(self, store: str) -> Mounted:
        (self._directory / store).mkdir(exist_ok=True)
        katas = self._directory / "katas"
        return self._mount("--layout", "split", volumes=f"dir:{self._directory / store}", at=katas)

    def _fill(self, katas: Path) -> None:
        data = needs.shared_data() / f"{REAL_KATA}.tar.gz"
        run(["tar", "--numeric-owner", "--strip-components=1", "-xpf", data, "-C", katas])
        kata = make_kata(katas, ODD_KATA)
        for directory in (kata.parent, katas):
            _age(directory)

    def _change(self, katas: Path) -> None:
        """A file that grows and one that is new, which is newest: two to read."""
        sandbox = katas / CHANGED / "lion" / "sandbox"
        with (katas / CHANGED / "manifest.json").open("a") as manifest:
            manifest.write("\n")
        (sandbox / "new.c").write_text("int main(void) { return 0; }\n")
        _age(sandbox)

    def _restarted(self, mounted: Mounted) -> Mounted:
        """The same mount by a new daemon, under another device number, as after a machine's restart."""
        before = os.stat(mounted.path).st_dev
        place = self._directory / "still-there"
        place.mkdir()
        # A dead mount that is still there keeps its number, which the kernel would give out again.
        with bound(mounted.path, place):
            mounted.stop()
            again = self._mounted("volumes")
        assert os.stat(again.path).st_dev != before
        return again

    def _backup(self, prepare: str = "") -> int:
        printed = self._machine.run(f"{prepare}\n{self.tool.backup}")
        # borg names an archive by the second, and refuses a second one of the same.
        ended_s = int(time.time())
        until(lambda: int(time.time()) > ended_s, "the next second")
        return self.tool.files_read(_without_trace(printed.stdout + printed.stderr))

    def _restore(self) -> Description:
        restored = self._mounted("restored")
        self._machine.run(self.tool.restore)
        return described(restored.path, atimes=False)


def _age(path: Path) -> None:
    """rsync compares whole seconds, and leaves a directory alone that it made in the same second as its source."""
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))


def _without_trace(printed: str) -> str:
    return re.sub(r"(?m)^\++ .*\n", "", printed)


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.xdist_group(f"backup-{name}")) for name in TOOLS],
)
def history(request: pytest.FixtureRequest) -> Iterator[History]:
    """Every test here only looks at it, so one is enough for them all."""
    tool = TOOLS[request.param]
    needs.root()
    needs.programs(*tool.programs)
    directory = fresh_directory()
    with mounting(directory) as mount:
        yield History(tool, directory, mount)
    remove_directory(directory)


def test_the_first_run_reads_every_file(history: History) -> None:
    assert history.files > 400
    # Some programs count a symlink or the second name of a hard link as well: there is one of each.
    assert history.files <= history.first <= history.files + 2


def test_a_second_run_reads_nothing(history: History) -> None:
    assert history.second == history.tool.reads_always


def test_a_run_after_a_restart_reads_nothing(history: History) -> None:
    assert history.after_restart == history.tool.reads_always


def test_a_run_after_a_change_reads_what_changed(history: History) -> None:
    assert history.after_change == 2 + history.tool.reads_always


def test_what_is_restored_is_what_was_there(history: History) -> None:
    assert differences(history.wanted, history.restored) == ""


def test_each_kata_is_a_volume_again(history: History) -> None:
    outers = {path.decode().replace("/", "") for path in history.wanted if path.count(b"/") == 1 and len(path) == 11}

    assert history.volumes() == outers | {"katafs_root"}
