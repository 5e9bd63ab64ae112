"""A log record as a line: `katafs: WARNING: failed operation=lookup error="the engine is gone"`.

What happened is the record's message; with which operation, path or error is in `extra`. One event is one line,
whatever a container has named a file; only a bug brings its traceback.
"""

import logging
import os

from katafs.observe.pairs import pairs

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; whatever else there is came by `extra`."""

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""syslog(3)."""


class Lines(logging.Formatter):
    """Makes the lines."""

    def __init__(self, program: str, *, journal: bool = False) -> None:
        """`program` begins each line. With `journal` before it comes the level as systemd's journal reads it."""
        super().__init__()
        self._program = program
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """As Formatter has it."""
        message = record.getMessage()
        event = message if message.isprintable() else ascii(message)
        said = pairs(extras(record))
        text = " ".join(filter(None, [f"{self._program}: {record.levelname}: {event}", said]))
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return with_level(text, record.levelno) if self._journal else text


def with_level(text: str, level: int) -> str:
    """Lines as systemd's journal reads them: each with its level of logging before it (sd-daemon(3))."""
    priority = f"<{_PRIORITIES.get(level, 6)}>"
    return "\n".join(priority + line for line in text.split("\n"))


def extras(record: logging.LogRecord) -> dict[str, object]:
    """What a record says beside its message."""
    return {key: value for key, value in vars(record).items() if key not in _OWN}


def goes_to_journal(descriptor: int) -> bool:
    """Whether what is written there goes to systemd's journal (systemd.exec(5), JOURNAL_STREAM)."""
    status = os.fstat(descriptor)
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
