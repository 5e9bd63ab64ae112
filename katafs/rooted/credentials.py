"""What the kernel says of a thread that waits for a reply: its groups, its capabilities, and over whose files it has
these. Known of who can be seen from here, in /proc: nobody of another PID namespace, nor with its option hidepid, where
this process hasn't CAP_SYS_PTRACE (proc(5))."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CAP_CHOWN, CAP_FOWNER, CAP_FSETID = 0, 3, 4
"""capabilities(7)."""


@dataclass(frozen=True)
class Credentials:
    """Those of a thread that can be seen."""

    pid: int
    groups: frozenset[int]
    """The supplementary ones."""
    capabilities: int
    """The effective ones, a bit each."""

    def has(self, capability: int, uid: int, gid: int | None = None) -> bool:
        """Whether it has a capability over an inode of this owner, and where that matters this group: in a user
        namespace only over what has a name there (user_namespaces(7))."""
        if not self.capabilities >> capability & 1:
            return False
        return self._is_mapped("uid_map", uid) and (gid is None or self._is_mapped("gid_map", gid))

    def _is_mapped(self, table: str, number: int) -> bool:
        lines = _lines(f"{self.pid}/{table}")
        if lines == _lines(f"self/{table}"):  # its second column is of the namespace above, if that is this one's too
            return bool(lines)
        return any(first <= number < first + count for first, count in _ranges(lines))


def credentials_of(pid: int) -> Credentials | None:
    """A thread's; None of one that can't be seen."""
    said = dict(line.split(":", 1) for line in _lines(f"{pid}/status") if ":" in line)
    if not said:
        return None
    return Credentials(pid, frozenset(map(int, said.get("Groups", "").split())), int(said.get("CapEff", "0"), 16))


def _ranges(lines: list[str]) -> Iterator[tuple[int, int]]:
    for line in lines:
        _, first, count = map(int, line.split())
        yield first, count


def _lines(name: str) -> list[str]:
    try:
        return Path("/proc", name).read_text(errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []
