"""How many requests a connection has had: of each kind, and which errors they were answered with."""

import errno
from collections import Counter, defaultdict
from collections.abc import Mapping

_KINDS = 64
"""Above the number of every request that is passed on."""


class Tally:
    """Counts from the beginning of the connection."""

    def __init__(self) -> None:
        self.asked = [0] * _KINDS
        """By the request's number. To add 1 is one step: CPython lets no other thread in between two instructions that
        neither call nor jump back. PyPy may, and loses one then of some thousands that two threads count at once."""
        self._failed: defaultdict[tuple[str, int], int] = defaultdict(int)
        """By the operation's name and the errno; as above. A Counter's entries are set by way of Python."""

    def failed(self, operation: str, number: int) -> None:
        """Count an answer with an errno."""
        self._failed[operation, number] += 1

    def operations(self, names: Mapping[int, str]) -> dict[str, int]:
        """How often each operation was asked for, if ever, by its name. `names` has them by the requests' numbers."""
        counts: Counter[str] = Counter()
        for opcode, name in names.items():
            counts[name] += self.asked[opcode]
        return {name: count for name, count in sorted(counts.items()) if count}

    def errors(self) -> dict[str, dict[str, int]]:
        """How often each operation was answered with each error, by their names: `{"lookup": {"ENOENT": 3}}`."""
        errors: dict[str, dict[str, int]] = {}
        for (operation, number), count in sorted(self._failed.copy().items()):
            errors.setdefault(operation, {})[errno.errorcode.get(number, str(number))] = count
        return errors
