"""What systemd is told of a daemon (sd_notify(3))."""

import contextlib
import logging
import os
import socket

_log = logging.getLogger(__name__)

_PATIENCE_S = 10.0
"""So long at most somebody is waited for who has stopped reading: the socket holds some ten messages."""


def watchdog_s() -> float | None:
    """How often systemd wants to hear `WATCHDOG=1` at the latest (sd_watchdog_enabled(3)); None where it doesn't."""
    text, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
    if not text.isdecimal() or int(text) == 0 or pid not in (None, str(os.getpid())):
        return None
    return int(text) / 1e6


def is_listening() -> bool:
    """Whether systemd, or whoever does as it does, wants to be told."""
    return bool(os.environ.get("NOTIFY_SOCKET"))


class Supervisor:
    """Who hears at NOTIFY_SOCKET, if anybody does. Holds what it takes to be heard, also where there are no more
    descriptors."""

    def __init__(self) -> None:
        """Raises OSError without a descriptor."""
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(_PATIENCE_S)

    def close(self) -> None:
        """Tell nothing more."""
        self._socket.close()

    def tell(self, state: str) -> None:
        """Say what is so. Who has gone is no reason to end a mount."""
        if self._address:
            try:
                self._socket.sendto(state.encode(), self._address)
            except OSError as gone:
                _unheard(state, gone)


def notify(state: str) -> None:
    """Tell systemd once (sd_notify(3)): `READY=1`, `STOPPING=1`. Without NOTIFY_SOCKET nobody is listening."""
    if not is_listening():
        return
    try:
        supervisor = Supervisor()
    except OSError as problem:
        _unheard(state, problem)
        return
    with contextlib.closing(supervisor):
        supervisor.tell(state)


def _unheard(state: str, problem: OSError) -> None:
    _log.info("nobody hears at NOTIFY_SOCKET", extra={"state": state, "error": problem.strerror or str(problem)})
