"""One daemon under test: the real command in the foreground, until it has ended and left nothing behind."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.harness import waiting
from tests.harness.descriptors import held_files
from tests.harness.linux import linux_to_be
from tests.harness.mount_table import FSTYPE, mount_at, tear_off
from tests.harness.programs import run

_LINUX_5_4 = str(Path(__file__).with_name("linux_5_4.py"))
PROGRAM = (sys.executable, _LINUX_5_4) if linux_to_be() == (5, 4) else (sys.executable, "-m", "katafs")

_TROUBLE = re.compile(r"\b(WARNING|ERROR|CRITICAL)\b|^Traceback |Exception ignored|Warning: ")
_END_S = 60.0


class Mounted:
    """A katafs daemon and its mount point."""

    def __init__(
        self, path: Path, arguments: Sequence[str], log: Path, env: Mapping[str, str], program: Sequence[str] = PROGRAM
    ) -> None:
        self.path = (log.parent / path).resolve()
        """Where the kernel's table has it, however the test wrote it."""
        self.argv = [*program, "mount", str(path), *arguments]
        self._env = dict(env)
        self._log = log
        self._expected: list[re.Pattern[str]] = []
        self._device_minor: int | None = None
        """Its mount's; unknown until it is ready."""
        self._held_at_start: set[str] | None = None
        """What it holds open for itself; unknown until it is ready."""
        self._settled = False
        """Whether the daemon's end has been judged, so that a test may stop it and the fixture needn't."""
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                self.argv,
                cwd=log.parent,
                env={**os.environ, **self._env},
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The daemon."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Its exit status, negative for the signal that killed it; None while it runs."""
        return self._process.poll()

    def log(self) -> str:
        """All it has written to stdout and stderr up to now."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def expect(self, pattern: str) -> None:
        """Let the daemon log troubles, lines and tracebacks, that this regular expression is found in."""
        self._expected.append(re.compile(pattern))

    def wait_for_log(self, pattern: str, seconds: float = waiting.DEADLINE_S) -> None:
        """Wait until the log has a place that the regular expression matches. Raises AssertionError where the daemon
        ends without it."""
        waiting.until(lambda: self.status is not None or self._logged(pattern), f"{pattern!r} in the log", seconds)
        if not self._logged(pattern):
            raise AssertionError(f"the daemon ended without {pattern!r} in its log")

    def _logged(self, pattern: str) -> bool:
        return re.search(pattern, self.log(), re.MULTILINE) is not None

    def wait_until_ready(self, seconds: float = waiting.DEADLINE_S) -> None:
        """Wait until the mount answers. Raises AssertionError where the daemon ends instead."""
        # Its own word first: what answers at the path may still be a dead daemon's mount, or the bare directory.
        waiting.until(lambda: self.status is not None or self._logged(": mounted path="), "a mount", seconds)
        waiting.until(lambda: self.status is not None or self._answers(), "the mount to answer", seconds)
        if self.status is not None:
            raise AssertionError("the daemon ended instead of mounting")
        self._held_at_start = held_files(self.pid)
        mount = mount_at(self.path)
        self._device_minor = None if mount is None else mount.device_minor

    def _is_mounted(self) -> bool:
        """Whether its mount is at its path, and not another daemon's."""
        mount = mount_at(self.path)
        return mount is not None and self._device_minor in (None, mount.device_minor)

    def _answers(self) -> bool:
        mount = mount_at(self.path)
        # In another process, which can be killed, since a stat of a mount whose daemon hangs never returns.
        stat = ["stat", "--file-system", str(self.path)]
        return mount is not None and mount.fstype == FSTYPE and run(stat, timeout=60, status=None).status == 0

    def stop(self, how: int = signal.SIGTERM) -> None:
        """Send the signal, and judge the end as `ended` does."""
        self._judge_descriptors()
        self.signal(how)
        self.ended()

    def signal(self, number: int) -> None:
        """Only send the signal."""
        self._process.send_signal(number)

    def ended(self, status: int = 0) -> None:
        """Wait for the daemon's end. Raises AssertionError where its status is another, its log has troubles that the
        test didn't expect, or, after a good end, something is still mounted."""
        self._settled = True
        try:
            found = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon still runs after {_END_S:g} s") from None
        if found != status:
            raise AssertionError(f"the daemon ended with status {found}, not {status}")
        if status == 0 and self._is_mounted():
            raise AssertionError(f"still mounted after its daemon's end: {self.path}")
        self._judge_log()

    def kill(self) -> None:
        """SIGKILL: the dead mount stays at the path, for the test to look at; the fixture takes it away."""
        self._settled = True
        self._process.kill()
        self._process.wait(_END_S)
        self._judge_log()

    def finish(self) -> str | None:
        """Stop the daemon if the test didn't, judge its end, and end it whatever happens. What was wrong, or None."""
        try:
            if not self._settled and self.status is None:
                self.stop()
            elif not self._settled:
                self.ended()
        except AssertionError as problem:
            return f"{problem}\n\n{self.report()}"
        finally:
            if self.status is None:
                tear_off(self.path)
                self._process.kill()
                self._process.wait(_END_S)
        return None

    def _judge_descriptors(self) -> None:
        # The kernel sends RELEASE after close has returned, so there is something to wait for.
        if not waiting.holds_within(lambda: not self._leaked(), 20):
            raise AssertionError(f"the daemon holds open what nobody uses any more: {sorted(self._leaked())}")

    def _leaked(self) -> set[str]:
        if self._held_at_start is None or self.status is not None:
            return set()
        return held_files(self.pid) - self._held_at_start

    def unexpected(self) -> list[str]:
        """The troubles in its log up to now that nobody expects."""
        blocks = re.split(r"\n(?=\S)", self.log())
        troubles = [block for block in blocks if _TROUBLE.search(block)]
        return [block for block in troubles if not any(pattern.search(block) for pattern in self._expected)]

    def _judge_log(self) -> None:
        if unexpected := self.unexpected():
            raise AssertionError("the daemon logged what the test doesn't expect:\n" + "\n".join(unexpected))

    def report(self) -> str:
        """What someone needs to see what went wrong and to try it again."""
        mount = mount_at(self.path)
        settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in self._env.items())
        return "\n".join(
            [
                f"rerun:       {settings} {shlex.join(self.argv)}".replace("  ", " "),
                f"exit status: {'none, it runs' if self.status is None else self.status}",
                f"mount table: {mount.line if mount else 'nothing at ' + str(self.path)}",
                "log:",
                self.log(),
            ]
        )
