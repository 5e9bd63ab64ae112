"""What systemd is told of a daemon (sd_notify(3))."""

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


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)): `READY=1`, `WATCHDOG=1`, `STOPPING=1`. Without NOTIFY_SOCKET nobody is listening;
    one that is gone is no reason to end a mount."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(_PATIENCE_S)
            sock.connect("\0" + address[1:] if address.startswith("@") else address)
            sock.sendall(state.encode())
    except OSError as gone:  # also where there is no descriptor for it
        _log.info("nobody hears at NOTIFY_SOCKET", extra={"state": state, "error": gone.strerror or str(gone)})
