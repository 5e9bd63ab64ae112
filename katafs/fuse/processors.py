"""Idle processors kept from sleeping while many requests come.

A program waits for each reply before it asks again, so that its processor is idle meanwhile, and the daemon's after
that. To wake one that sleeps takes longer than most replies: on virtual machines, which must ask their host, far
longer. The kernel lets it be said that no such wait is wanted (Documentation/power/pm_qos_interface.rst), by a
file that forgets it when it is closed, as it is at the daemon's end.
"""

import logging
import os

_log = logging.getLogger(__name__)

REQUESTS = "/dev/cpu_dma_latency"
_MANY = 16
_FEW = 4
"""In a moment of the readers' watcher, which is some 10 ms: from so many on they are kept awake, until there are fewer
than these. So they aren't let sleep and woken again in turns."""
_NO_LATENCY = (0).to_bytes(4, "little")
_ANY_LATENCY = (2_000_000_000).to_bytes(4, "little")
"""PM_QOS_CPU_LATENCY_DEFAULT_VALUE, µs."""


class Processors:
    """Those of the machine. They are left alone where the descriptor is None."""

    def __init__(self, descriptor: int | None = None) -> None:
        """Owns the descriptor, of `/dev/cpu_dma_latency`, which is open for writing."""
        self._descriptor = descriptor
        self._requests = 0
        self._awake = False

    def note(self, requests: int) -> None:
        """Let them sleep or not, by how many requests there have been since the last call. `requests` is how many there
        have been in all; 0 lets them sleep."""
        many = requests - self._requests >= (_FEW if self._awake else _MANY)
        self._requests = requests
        if many != self._awake and self._descriptor is not None:
            self._awake = many
            try:
                os.write(self._descriptor, _NO_LATENCY if many else _ANY_LATENCY)
            except OSError as problem:  # whoever notes has more to do than this
                _log.warning("processors sleep as they like from now on", extra={"reason": problem})
                self.close()

    def are_awake(self) -> bool | None:
        """Whether they are kept awake now; None where they are left alone."""
        return None if self._descriptor is None else self._awake

    def close(self) -> None:
        """Let them sleep from now on. Nobody may be noting meanwhile."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def machine() -> Processors:
    """The machine's, or none that can be kept awake where this program may not, which only root may."""
    try:
        return Processors(os.open(REQUESTS, os.O_WRONLY | os.O_CLOEXEC))
    except OSError as problem:
        _log.debug("processors sleep as they like", extra={"reason": problem})
        return Processors()
