"""Text that others wrote, such as what a test run printed, as it may go to a terminal."""

import sys


def echoed(text: str) -> bytes:
    """The bytes to print. On a terminal, whatever would move its cursor or change its state is shown as U+FFFD; a file
    or a program gets every byte as it is."""
    if sys.stdout is None or not sys.stdout.isatty():  # None: it was closed when the program began
        return raw(text)
    return raw("".join(map(_shown, text)))


def in_a_line(text: str) -> str:
    """A line that may tell of a name, a path or an option, which may hold anything: as it is, or escaped as a whole
    where it would be several lines or move a terminal's cursor."""
    return text if text.isprintable() else ascii(text)


def raw(text: str) -> bytes:
    """The bytes of a text in which those that aren't UTF-8 are surrogates. Other surrogates, which JSON can have, come
    out as WTF-8 has them."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")


def _shown(character: str) -> str:
    return character if character.isprintable() or character in "\n\t" else "\N{REPLACEMENT CHARACTER}"
