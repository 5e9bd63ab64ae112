"""What the kernel says of a thread that waits for a reply: its groups, its capabilities, and over whose files it has
these. Known of who can be seen from here, in /proc: nobody of another PID namespace, nor with its option hidepid, where
this process hasn't CAP_SYS_PTRACE (proc(5))."""

from collections.abc import Iterator
from pathlib import Path

CAP_CHOWN, CAP_FOWNER, CAP_FSETID = 0, 3, 4
"""capabilities(7)."""


def is_seen(pid: int) -> bool:
    """Whether anything is known of it."""
    return bool(_lines(f"{pid}/status"))


def groups_of(pid: int) -> set[int]:
    """The supplementary groups; none of one that can't be seen."""
    return {int(group) for group in _said(pid, "Groups:").split()}


def has_capability(pid: int, capability: int, uid: int, gid: int | None = None) -> bool:
    """Whether it has a capability over an inode of this owner, and where that matters this group: in a user namespace
    only over what has a name there (user_namespaces(7))."""
    effective = int(_said(pid, "CapEff:") or "0", 16)
    if not effective >> capability & 1:
        return False
    return _is_mapped(pid, "uid_map", uid) and (gid is None or _is_mapped(pid, "gid_map", gid))


def _said(pid: int, key: str) -> str:
    return next((line.removeprefix(key) for line in _lines(f"{pid}/status") if line.startswith(key)), "")


def _is_mapped(pid: int, table: str, number: int) -> bool:
    lines = _lines(f"{pid}/{table}")
    if lines == _lines(f"self/{table}"):  # its second column is of the namespace above, if that is this one's too
        return bool(lines)
    return any(first <= number < first + count for first, count in _ranges(lines))


def _ranges(lines: list[str]) -> Iterator[tuple[int, int]]:
    for line in lines:
        _, first, count = map(int, line.split())
        yield first, count


def _lines(name: str) -> list[str]:
    try:
        return Path("/proc", name).read_text(errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []
