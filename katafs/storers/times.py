"""When a test run was: year, month, day, hour, minute and second, as the servers keep it."""

from collections.abc import Sequence
from datetime import datetime


def moment(time: object) -> datetime | None:
    """The moment that six numbers mean; None where they are no six numbers, or there is no such moment."""
    if not isinstance(time, Sequence) or any(type(part) is not int for part in time):
        return None
    try:
        year, month, day, hour, minute, second = time
        return datetime(year, month, day, hour, minute, second)
    except (ValueError, OverflowError):
        return None
