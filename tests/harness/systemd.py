"""A machine of the test's own that systemd runs: the real one, as process 1 of namespaces, on a root of its own.

It has a cgroup of its own in the unified hierarchy, no controllers, and of Debian's units those that a test starts.
"""

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness import needs, waiting
from tests.harness.own_root import NAMESPACES, OwnRoot
from tests.harness.programs import DEADLINE_S, Finished, run

_SYSTEMD = "/lib/systemd/systemd"
_START_S = 60.0

_TARGET = """\
[Unit]
DefaultDependencies=no
Requires=systemd-journald.socket
"""

DOCKER_SERVICE = f"""\
cat >/etc/systemd/system/docker.service <<'END'
[Service]
Type=notify
ExecStart=env "PATH={os.environ["PATH"]}" dockerd --storage-driver=vfs --bridge=none --iptables=false --ip6tables=false
END
systemctl daemon-reload
"""
"""As Debian's, but for the network and the disk that aren't there; the engine is the tests' own."""


class Machine:
    """A machine that runs. Made by `booted`."""

    def __init__(self, init: int) -> None:
        self._init = init
        self._enter = ["nsenter", f"--target={init}", "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup"]

    def path(self, path: str) -> Path:
        """Where what the machine has at an absolute path is seen from this one."""
        return Path(f"/proc/{self._init}/root{path}")

    def run(self, script: str, *, status: int | None = 0, timeout: float = DEADLINE_S) -> Finished:
        """Run a script of bash's to its end, which is its first command that fails. stderr has each command, too.
        Raises AssertionError, with the end of the machine's journal, where it ends with another status."""
        try:
            return run([*self._enter, "bash", "-euxc", script], status=status, timeout=timeout)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self._told('journalctl --no-pager --lines=100')}") from None

    def start(self, script: str) -> "subprocess.Popen[str]":
        """The same in the background; what it prints is to be read by `communicate`."""
        return subprocess.Popen([*self._enter, "bash", "-euc", script], text=True, stdout=subprocess.PIPE)

    def shown(self, unit: str, what: str) -> str:
        """A property of a unit, as `systemctl show` has it."""
        return self.run(f"systemctl show --value --property={what} {shlex.quote(unit)}").stdout.strip()

    def wait_for(self, unit: str, what: str, value: str) -> None:
        """Wait until a property has this value. Raises AssertionError, with the unit's journal, where it doesn't."""
        try:
            waiting.until(lambda: self.shown(unit, what) == value, f"{unit}: {what}={value}")
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self.journal(unit)}") from None

    def journal(self, unit: str) -> str:
        """What a unit has logged, and systemd of it."""
        return self._told(f"systemctl status --no-pager --lines=200 {shlex.quote(unit)}")

    def _told(self, command: str) -> str:
        return run([*self._enter, "sh", "-c", command], status=None).stdout


@contextmanager
def booted(directory: Path, root: OwnRoot) -> Iterator[Machine]:
    """A machine that has started; ended in any case, with all that runs on it."""
    needs.programs("systemctl", "nsenter", "unshare", "pivot_root")
    name = f"katafs-{directory.name}"
    prepare = [
        root.laid_out(),
        "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
        f"printf %s {shlex.quote(_TARGET)} >/etc/systemd/system/own.target",
        # At its start systemd removes what earlier services have left of theirs in the directory that is shared; those
        # of other machines, this one's among them, are at work.
        "mkdir -p /etc/tmpfiles.d; ln -s /dev/null /etc/tmpfiles.d/systemd-tmp.conf",
        f"exec env -i container=katafs-test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "
        f"{_SYSTEMD} --unit=own.target --log-target=journal --show-status=no",
    ]
    enter = f"{_in_hierarchy(directory)}; mkdir {name}; echo $$ >{name}/cgroup.procs; cd /; umount --lazy $top"
    with (directory / "boot.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *("unshare", "--mount", "sh", "-euc", f'{enter}; exec "$@"', "sh"),
                *(*NAMESPACES, "--cgroup", "sh", "-euc", "\n".join(prepare)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield _running(process, directory)
    finally:
        process.kill()  # which ends process 1 in there, and so every process of it
        process.wait(_START_S)
        _remove_cgroup(directory, name)


def _in_hierarchy(directory: Path) -> str:
    """The commands that go to the root of the unified hierarchy, wherever the machine has it."""
    return f"top={shlex.quote(str(directory))}; mount -t cgroup2 cgroup2 $top; cd $top"


def _running(process: "subprocess.Popen[bytes]", directory: Path) -> Machine:
    def machines() -> list[Machine]:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        return [Machine(int(child)) for child in children]

    def answers() -> bool:
        # The first children only lay out the root; systemd comes last, and stays.
        asked = (machine.run("systemctl is-active --quiet own.target", status=None) for machine in machines())
        return process.poll() is not None or any(finished.status == 0 for finished in asked)

    waiting.until(answers, "systemd to start", _START_S)
    if process.poll() is not None:
        raise AssertionError(f"systemd ended with {process.returncode}:\n{(directory / 'boot.log').read_text()}")
    (machine,) = machines()
    return machine


def _remove_cgroup(directory: Path, name: str) -> None:
    find = f"{_in_hierarchy(directory)}; test ! -e {name} || find {name} -depth -type d -exec rmdir {{}} +"
    removed = ["unshare", "--mount", "sh", "-euc", find]
    # A process that was killed may leave its cgroup a moment later.
    waiting.until(lambda: run(removed, status=None).status == 0, "the machine's cgroup to be left by all")
