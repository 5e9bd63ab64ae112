"""A cache that keeps the latest used and no more than it may. Must not know what it keeps."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Bounded(Generic[Key, Value]):
    """Keys and values whose costs together stay within a limit: the one that wasn't asked for longest goes first."""

    def __init__(self, limit: int, cost: Callable[[Value], int]) -> None:
        self._limit = limit
        self._cost = cost
        self._taken = 0
        self._kept: OrderedDict[Key, Value] = OrderedDict()
        self._lock = threading.Lock()
        """Covers `_kept` and `_taken`."""

    def get(self, key: Key) -> Value | None:
        """What was put under the key, None where it isn't there any more."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key]

    def put(self, key: Key, value: Value) -> None:
        """Keep a value, and drop others for it; a value that costs more than the limit isn't kept."""
        with self._lock:
            if key in self._kept:
                self._taken -= self._cost(self._kept.pop(key))
            if self._cost(value) > self._limit:
                return
            self._kept[key] = value
            self._taken += self._cost(value)
            while self._taken > self._limit:
                self._taken -= self._cost(self._kept.popitem(last=False)[1])
