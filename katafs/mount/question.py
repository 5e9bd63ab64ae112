"""Asks a mount whether it answers, as anybody else would, and says why it doesn't.

Another program does: the kernel doesn't let go of who waits for an answer, not even of the killed. A thread that waited
for its own process would keep the device open, and so its own answer from ever failing, and the process, its mount and
all who use that from ever ending.
"""

import errno
import os

_MOST_BYTES = 4096
"""Of what the program says."""


class Question:
    """One that can be put again and again. Holds what it needs for that: a mount that answers must not be taken for one
    that hangs because programs have as many files open as there may be."""

    def __init__(self, path: str) -> None:
        """Asks for the absolute path. Raises OSError without a descriptor."""
        self._path = path
        self._said = os.memfd_create("katafs-question")

    def close(self) -> None:
        """Put it no more."""
        os.close(self._said)

    def refusal(self) -> str | None:
        """Why the mount that has the path refuses stat(2) there, in one line; None where it answers. Waits for as long
        as it takes.

        Raises OSError where the question can't be put, MemoryError where there is no memory for that."""
        os.ftruncate(self._said, 0)
        os.lseek(self._said, 0, os.SEEK_SET)
        # Without a pipe to the program, which subprocess has in any case.
        streams = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, self._said, 2),
        ]
        try:
            program = os.posix_spawnp("stat", ["stat", "--", self._path], os.environ, file_actions=streams)
        except OSError as problem:
            if problem.errno == errno.ENOMEM:
                raise MemoryError from problem
            raise
        status = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
        if status == 0:
            return None
        said = os.pread(self._said, _MOST_BYTES, 0).decode(errors="replace")
        return " ".join(said.split()) or f"stat ended with status {status}"
