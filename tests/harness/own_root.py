"""A machine like this one whose root directory is the test's own: what is written there is in memory, and goes with it.

Commands of a page run in it as they stand, with their `/katas`, `/backup` and `/etc`.
"""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.harness import needs
from tests.harness.places import PARENT
from tests.harness.programs import DEADLINE_S, Finished, run

PROJECT = Path(__file__).resolve().parents[2]

NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--net", "--uts", "--ipc")

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "fuse")

_INSTALLATION = (
    f"mkdir -p $root/opt && ln -s {shlex.quote(str(PROJECT))} $root/opt/katafs",
    f"ln -s {shlex.quote(str(Path(sys.executable).with_name('katafs')))} $root/usr/local/bin/",
    f"ln -s {shlex.quote(str(Path(sys.executable).with_name('mount.fuse.katafs')))} $root/sbin/",
    "cp $root/opt/katafs/systemd/* $root/etc/systemd/system/",
)
"""As the README says."""


class OwnRoot:
    """Runs shells in it. Nothing that one writes outside `shared`, and no process of it, is there for the next one."""

    def __init__(
        self,
        directory: Path,
        shared: Mapping[str, Path] | None = None,
        env: Mapping[str, str] | None = None,
        *,
        like: Path = Path("/"),
        installed: bool = True,
    ) -> None:
        """`shared` are directories by the path at which a shell finds them; what is mounted there comes too. `like` is
        the root of a Debian to begin with. `installed` says whether katafs is, from the clone at /opt/katafs."""
        needs.root()
        self._like = like
        self._installed = installed
        self._top = directory / "own-root"
        self._top.mkdir()
        # The clone may be on another disk.
        self._shared = {**({str(PROJECT): PROJECT} if installed else {}), **(shared or {})}
        self._env = env or {}

    def run(self, script: str, *, status: int | None = 0, timeout: float = DEADLINE_S) -> Finished:
        """Run a script of bash's to its end, which is its first command that fails. stderr has each command, too."""
        # Not exec: the shell outside stays process 1, as on a machine.
        argv = [*NAMESPACES, "sh", "-euc", f'{self.laid_out()}\nbash -euxc "$1"; exit $?', "sh", script]
        return run(argv, env=self._env, status=status, timeout=timeout)

    def laid_out(self) -> str:
        """The commands that make it the root of the namespaces in which they run."""
        lines = [
            f"top={shlex.quote(str(self._top))}; root=$top/root",
            "mount -t tmpfs -o size=1g,mode=755 tmpfs $top",
            "mkdir $top/upper $top/work $root",
            # Not on the disk: a layer can't lie below another one.
            f"lower={shlex.quote(str(self._like))}",
            # Inode numbers that stay, also those of directories.
            "layers=lowerdir=$lower,upperdir=$top/upper,workdir=$top/work",
            "mount -t overlay -o xino=on,$layers overlay $root",
            "mount -t proc proc $root/proc && mount -t sysfs sysfs $root/sys",
            "mount -t tmpfs -o mode=755 tmpfs $root/run && mount -t tmpfs -o mode=755 tmpfs $root/dev",
            "ln -s /proc/self/fd $root/dev/fd && mkdir $root/dev/shm $root/dev/pts && ip link set lo up",
            "mount -t devpts -o ptmxmode=666 devpts $root/dev/pts && ln -s pts/ptmx $root/dev/ptmx",
            f"for device in {' '.join(_DEVICES)} $(! test -e /dev/autofs || echo autofs); do",
            "  touch $root/dev/$device && mount --bind /dev/$device $root/dev/$device",
            "done",
            *(_INSTALLATION if self._installed else ()),
            # Where the tests' files and engines are. Not what is mounted there: other tests wait for its end.
            f"mkdir -p $root{PARENT} && mount --bind {PARENT} $root{PARENT}",
            *(
                f"mkdir -p $root{path} && mount --rbind {shlex.quote(str(source))} $root{path}"
                for path, source in self._shared.items()
            ),
            "cd $root && pivot_root . . && umount --lazy .",
        ]
        return "\n".join(lines)
