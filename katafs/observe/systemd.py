"""What systemd is told of a daemon (sd_notify(3))."""

import logging
import os
import socket

_log = logging.getLogger(__name__)


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)): `READY=1`, `STOPPING=1`. Without NOTIFY_SOCKET nobody is listening; one that is gone
    is no reason to end a mount."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.connect("\0" + address[1:] if address.startswith("@") else address)
            sock.sendall(state.encode())
        except OSError as gone:
            _log.info("nobody hears at NOTIFY_SOCKET", extra={"state": state, "error": gone.strerror})
