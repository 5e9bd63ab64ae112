"""What is said of a running daemon: its log, and systemd's notifications."""

import faulthandler
import logging
import logging.handlers
import os
import signal
import socket
import sys

_log = logging.getLogger(__name__)

_SYSLOG = "/dev/log"


def log_to_stderr(*, debug: bool) -> None:
    """Log to stderr, which systemd hands to the journal; SIGUSR1 adds the stack of every thread."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if debug else logging.INFO,
        format="katafs: %(levelname)s: %(message)s",
        force=True,
    )
    faulthandler.register(signal.SIGUSR1, all_threads=True)


def log_to_syslog() -> None:
    """Let go of the terminal: log to syslog from now on, where there is one, and nowhere else."""
    handlers: list[logging.Handler] = [logging.NullHandler()]
    if os.path.exists(_SYSLOG):
        syslog = logging.handlers.SysLogHandler(_SYSLOG, facility=logging.handlers.SysLogHandler.LOG_DAEMON)
        syslog.setFormatter(logging.Formatter("katafs[%(process)d]: %(levelname)s: %(message)s"))
        handlers = [syslog]
    logging.basicConfig(level=logging.getLogger().level, handlers=handlers, force=True)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)


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
            _log.info("nobody at NOTIFY_SOCKET hears %s: %s", state, gone.strerror)
