"""The ordinary negative answer of a file system."""

import os


def answer(number: int, name: bytes = b"") -> OSError:
    """An OSError of this errno with the system's own words for it."""
    return OSError(number, os.strerror(number), name)
