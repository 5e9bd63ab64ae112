"""Where a daemon logs to."""

import logging
import os
import sys
import threading
from typing import Any

from katafs.observe.limits import Limited
from katafs.observe.lines import Lines, goes_to_journal, with_level

_log = logging.getLogger(__name__)

_SYSLOG = "/dev/log"
_STDERR = 2
_BUG = "a bug in katafs"


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
    _log_bugs()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)


def _log_to(handler: logging.Handler, level: int) -> None:
    logging.basicConfig(level=level, handlers=[Limited(handler)], force=True)


def _log_bugs() -> None:
    """Log from now on what Python would say on stderr: of an exception that ends the process or one of its threads, or
    that nobody could be given."""

    def of_process(*bug: Any) -> None:  # noqa: ANN401  as sys.excepthook has it
        _log.critical(_BUG, exc_info=bug)

    def of_thread(ended: threading.ExceptHookArgs) -> None:
        bug = ended.exc_value
        if not isinstance(bug, SystemExit):
            _log.critical(_BUG, exc_info=bug, extra={"of": ended.thread.name if ended.thread else ""})

    def of_nobody(lost: Any) -> None:  # noqa: ANN401  as sys.unraisablehook has it
        _log.error(_BUG, exc_info=lost.exc_value, extra={"object": repr(lost.object)})

    sys.excepthook, threading.excepthook, sys.unraisablehook = of_process, of_thread, of_nobody
