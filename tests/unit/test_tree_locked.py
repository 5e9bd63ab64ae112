"""The tree's lock, of which nothing is held when a request is over, however that ends."""

import threading

from katafs.tree.descriptors import Descriptors, Reserve
from katafs.tree.legacy import NoLegacy
from katafs.tree.requests import Locked
from tests.harness import needs


def test_without_memory_the_lock_is_given_back() -> None:
    """Else every request from then on would wait for it."""
    starving = needs.allocations_that_fail()
    lock = threading.RLock()
    locked = Locked(lock, Descriptors(1, Reserve()), NoLegacy())
    kept = [tuple([number] * 3) for number in range(5000)]  # so many as CPython keeps for later are used up
    for first in range(30):
        starving.set_nomemory(first, first + 1)
        try:
            with locked:
                pass
        except MemoryError:
            pass
        finally:
            starving.remove_mem_hooks()
        assert not lock._is_owned(), f"where allocation {first} fails"  # type: ignore[attr-defined]  # noqa: SLF001
    assert kept
