"""A machine like this one whose root directory is the test's own: what is written there is in memory, and goes with it.

Commands of a page run in it as they stand, with their `/katas`, `/backup` and `/etc`.
"""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.harness import needs
from tests.harness.programs import DEADLINE_S, Finished, run

PROJECT = Path(__file__).resolve().parents[2]

_SHARED = ("/dev", "/var/tmp")
"""Of the real machine: devices, and where the tests' files and engines are."""


class OwnRoot:
    """Runs shells in it. Nothing that one writes outside `shared`, and no process of it, is there for the next one."""

    def __init__(self, directory: Path, shared: Mapping[str, Path], env: Mapping[str, str] | None = None) -> None:
        """`shared` are directories by the path at which a shell finds them; what is mounted there comes too."""
        needs.root()
        self._top = directory / "own-root"
        self._top.mkdir()
        self._shared = {**{path: Path(path) for path in _SHARED}, **shared}
        self._env = env or {}

    def run(self, script: str, *, status: int | None = 0, timeout: float = DEADLINE_S) -> Finished:
        """Run a script of bash's to its end, which is its first command that fails. stderr has each command, too."""
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--net", "--uts"]
        # Not exec: the shell outside stays process 1, as on a machine.
        argv = [*namespaces, "sh", "-euc", f'{self._prepared()}\nbash -euxc "$1"; exit $?', "sh", script]
        return run(argv, env=self._env, status=status, timeout=timeout)

    def _prepared(self) -> str:
        """The commands that lay out the root, `$root`."""
        lines = [
            f"top={shlex.quote(str(self._top))}; root=$top/root",
            "mount -t tmpfs -o size=512m,mode=755 tmpfs $top",
            "mkdir $top/upper $top/work $root",
            # Not on the disk: a layer can't lie below another one.
            "mount -t overlay -o lowerdir=/,upperdir=$top/upper,workdir=$top/work overlay $root",
            "mount -t proc proc $root/proc && mount -t sysfs sysfs $root/sys && ip link set lo up",
            "mkdir -p $root/opt && ln -s " + shlex.quote(str(PROJECT)) + " $root/opt/katafs",
            "ln -s " + shlex.quote(str(Path(sys.executable).with_name("katafs"))) + " $root/usr/local/bin/katafs",
        ]
        for path, source in self._shared.items():
            lines.append(f"mkdir -p $root{path} && mount --rbind {shlex.quote(str(source))} $root{path}")
        lines.append("cd $root && pivot_root . . && umount --lazy .")
        return "\n".join(lines)
