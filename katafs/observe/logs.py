"""Where a daemon logs to."""

import logging
import os
import sys

from katafs.observe.limits import Limited
from katafs.observe.lines import Lines, goes_to_journal, with_level

_SYSLOG = "/dev/log"
_STDERR = 2


def shape_warnings() -> None:
    """Let a command that has no log of its own say its warnings in the same form, on stderr."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(Lines("katafs", journal=goes_to_journal(_STDERR)))


def for_stderr(text: str, level: int) -> str:
    """What a command says on stderr, with its level of logging before it where that is the journal."""
    return with_level(text, level) if goes_to_journal(_STDERR) else text


def log_to_stderr(level: int) -> None:
    """Log to stderr, which systemd hands to the journal, what is of this level of logging or above."""
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setFormatter(Lines("katafs", journal=goes_to_journal(_STDERR)))
    _log_to(stderr, level)


def log_to_syslog() -> None:
    """Let go of the terminal: log to syslog from now on, where there is one, and nowhere else."""
    from logging.handlers import SysLogHandler  # with all that it loads not needed by most commands

    handler: logging.Handler = logging.NullHandler()
    if os.path.exists(_SYSLOG):
        handler = SysLogHandler(_SYSLOG, facility=SysLogHandler.LOG_DAEMON)
        handler.setFormatter(Lines(f"katafs[{os.getpid()}]"))
    _log_to(handler, logging.getLogger().level)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)


def _log_to(handler: logging.Handler, level: int) -> None:
    logging.basicConfig(level=level, handlers=[Limited(handler)], force=True)
