"""Where a daemon logs to."""

import faulthandler
import logging
import logging.handlers
import os
import signal
import sys

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
