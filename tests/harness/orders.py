"""A shell that takes orders one after the other, in a container or beside it: no program is started for each."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

_LOOP = 'while IFS= read -r line; do eval "$line"; echo "status $?"; done'

SHELL = ("busybox", "sh", "-c", _LOOP)
"""What is to run: each line it reads is done when its status is written."""


class Orders(AbstractContextManager["Orders"]):
    """Gives orders to a shell that the command starts."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str] | None = None, cwd: os.PathLike[str] | None = None
    ) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def __call__(self, line: str) -> None:
        """Have one line done. Raises AssertionError where it fails."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        answer = self._process.stdout.readline()
        assert answer == "status 0\n", f"{line}: {answer!r}"

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the shell end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process.stdout.close()
