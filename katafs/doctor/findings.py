"""What the doctor says: one finding for each thing that was looked at."""

import enum
from dataclasses import dataclass


class Severity(enum.Enum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    """katafs works; something else may suffer, or couldn't be told."""
    PROBLEM = "problem"
    """katafs can't work, or somebody's data is in danger."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    check: str
    """The name of what was looked at, one word or two with a hyphen."""
    severity: Severity
    text: str
    """One line."""
    remedy: str = ""
    """What to do about it, one line; empty where there is nothing to do."""

    def in_a_line(self) -> str:
        """The text, and the remedy if there is one."""
        return f"{self.text} ({self.remedy})" if self.remedy else self.text


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check, Severity.OK, text)


def note(check: str, text: str, remedy: str) -> Finding:
    """Something to know."""
    return Finding(check, Severity.NOTE, text, remedy)


def problem(check: str, text: str, remedy: str) -> Finding:
    """Something to do."""
    return Finding(check, Severity.PROBLEM, text, remedy)
