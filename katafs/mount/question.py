"""Asks a mount whether it answers, as anybody else would, and says why it doesn't.

Another program does: the kernel doesn't let go of who waits for an answer, not even of the killed. A thread that waited
for its own process would keep the device open, and so its own answer from ever failing, and the process, its mount and
all who use that from ever ending.
"""

import subprocess

_NULL = subprocess.DEVNULL


def refusal(path: str) -> str | None:
    """Why the mount that has this absolute path refuses stat(2) there, in one line; None where it answers. Waits for as
    long as it takes.

    Raises OSError where the question can't be put."""
    command = ["stat", "--", path]
    asked = subprocess.run(
        command, stdin=_NULL, stdout=_NULL, stderr=subprocess.PIPE, text=True, errors="replace", cwd="/", check=False
    )
    if asked.returncode == 0:
        return None
    return " ".join(asked.stderr.split()) or f"stat ended with status {asked.returncode}"
