"""mount(8) with katafs's helper installed, in mount and process namespaces of its own: /sbin belongs to the machine."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.harness.doctored import planted
from tests.harness.programs import Finished, run

HELPER = Path(sys.executable).with_name("mount.fuse.katafs")


class Machine:
    """Runs shells in which /sbin has the helper, with an fstab of the test's. What a shell leaves mounted, and
    its daemons, end with it."""

    def __init__(self, directory: Path, env: Mapping[str, str] | None = None) -> None:
        self._sbin = directory / "sbin"
        self._sbin.mkdir()
        (self._sbin / HELPER.name).symlink_to(HELPER)
        self._fstab = directory / "fstab"
        self._env = env or {}

    def run(self, script: str, *, fstab: str = "", status: int = 0) -> Finished:
        """Run a script with `$FSTAB`, which ends at the first command that fails."""
        self._fstab.write_text(fstab)
        prepare = f"mount --bind {shlex.quote(str(self._sbin))} /sbin/"
        argv = [*planted(prepare), "sh", "-euc", script]
        return run(argv, env={"FSTAB": str(self._fstab), **self._env}, status=status)
