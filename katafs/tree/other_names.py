"""The names that the kernel may keep and that no node tells of."""

import time

_MOST = 16_384
"""Each takes some 200 bytes."""
_PAUSE_S = 0.1


class OtherNames:
    """The names that the kernel may keep and that no node has: those it was told not to be there, and an inode's names
    before its last. Guarded by the tree's lock."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._until_s: dict[tuple[int, bytes], float] = {}
        """Until when the kernel may keep each, by time.monotonic()."""
        self._first_end_s = 0.0
        """Before this nobody looks for some that have ended."""

    def add(self, parent: int, name: bytes, timeout_s: float) -> bool:
        """Take note of a name that the kernel may keep for so long from now on. False where there is no room: then it
        had better not be let."""
        now_s = time.monotonic()
        known = (parent, name) in self._until_s
        if not known and len(self._until_s) >= self._most and not self._has_ended(now_s):
            return False
        self._until_s[parent, name] = now_s + timeout_s
        return True

    def _has_ended(self, now_s: float) -> bool:
        """Whether there is room once those are dropped that the kernel doesn't keep any more."""
        if now_s < self._first_end_s:
            return False
        self._until_s = {name: until_s for name, until_s in self._until_s.items() if until_s > now_s}
        # Where they end one after the other, not with each name that is added.
        self._first_end_s = max(min(self._until_s.values(), default=0.0), now_s + _PAUSE_S)
        return len(self._until_s) < self._most

    def all(self) -> list[tuple[int, bytes]]:
        """Every one."""
        return list(self._until_s)
