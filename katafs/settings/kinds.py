"""The kinds of settings: what a value of each is in a TOML file, and as the text of a variable or a flag. Pure, but for
relative paths in the latter: they are taken from the directory that the process works in."""

import enum
import math
from pathlib import Path
from typing import Any, Protocol

from katafs.kata_id import is_volume_prefix

_TRUE = frozenset(("true", "yes", "on", "1"))
_FALSE = frozenset(("false", "no", "off", "0"))
_MOST_PORT = 65535
_MOST_S = 315_360_000
"""Ten years."""


class Unfit(Exception):
    """A value of another kind than is wanted. Its text says which is, to follow the setting's name: `is not …`."""


class Kind(Protocol):
    """How values of one kind are read."""

    metavar: str
    """What stands for a value in a help text."""

    def of_toml(self, value: object) -> Any:  # noqa: ANN401  each kind has a type of its own
        """The value of what a TOML file says. Raises Unfit."""

    def of_text(self, text: str) -> Any:  # noqa: ANN401  as above
        """The value of a variable's or a flag's text. Raises Unfit."""


class VolumePrefix:
    """What the names of volumes begin with."""

    metavar = "P"
    _unfit = "is nothing that the name of a volume can begin with: letters, digits, then also _ . -"

    def of_toml(self, value: object) -> str:
        """As in the protocol."""
        if not isinstance(value, str) or not is_volume_prefix(value):
            raise Unfit(f"{self._unfit}, in quotes")
        return value

    def of_text(self, text: str) -> str:
        """As in the protocol."""
        if not is_volume_prefix(text):
            raise Unfit(self._unfit)
        return text


DOCKER = "docker"
DIRECTORY_SCHEME = "dir:"
"""Before the path of a directory of volumes."""


class Store:
    """Where volumes are: `docker`, or `dir:` and a path, which in a file is absolute."""

    metavar = f"{DOCKER}|{DIRECTORY_SCHEME}PATH"

    def of_toml(self, value: object) -> str:
        """As in the protocol."""
        if value != DOCKER and not (isinstance(value, str) and value.startswith(f"{DIRECTORY_SCHEME}/")):
            raise Unfit(f"is neither {DOCKER} nor {DIRECTORY_SCHEME}/PATH, in quotes")
        return str(value)

    def of_text(self, text: str) -> str:
        """As in the protocol."""
        if (text != DOCKER and not text.startswith(DIRECTORY_SCHEME)) or text == DIRECTORY_SCHEME:
            raise Unfit(f"is neither {DOCKER} nor {DIRECTORY_SCHEME}PATH")
        path = Path(text.removeprefix(DIRECTORY_SCHEME))
        return text if text == DOCKER or path.is_absolute() else f"{DIRECTORY_SCHEME}{path.absolute()}"


class Choice:
    """One of the values of an enumeration."""

    def __init__(self, choices: type[enum.Enum]) -> None:
        self._choices = choices
        self.metavar = "|".join(self.values)

    @property
    def values(self) -> list[str]:
        """What there is to choose from."""
        return [each.value for each in self._choices]

    def of_toml(self, value: object) -> enum.Enum:
        """As in the protocol."""
        try:
            return self._choices(value)
        except ValueError:
            raise Unfit(f"is not one of {', '.join(self.values)}") from None

    def of_text(self, text: str) -> enum.Enum:
        """As in the protocol."""
        return self.of_toml(text)


class Flag:
    """Yes or no."""

    metavar = "true|false"

    def of_toml(self, value: object) -> bool:
        """As in the protocol."""
        if not isinstance(value, bool):
            raise Unfit("is neither true nor false")
        return value

    def of_text(self, text: str) -> bool:
        """As in the protocol."""
        if text.lower() not in _TRUE | _FALSE:
            raise Unfit("is neither true nor false")
        return text.lower() in _TRUE


class Seconds:
    """A length of time, 0 included, and no more than the kernel's protocol has room for."""

    metavar = "SECONDS"

    def of_toml(self, value: object) -> float:
        """As in the protocol."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_S:
            raise Unfit("is not a number of seconds")
        return float(value)

    def of_text(self, text: str) -> float:
        """As in the protocol."""
        try:
            return self.of_toml(float(text))
        except ValueError:
            raise Unfit("is not a number of seconds") from None


class _Whole:
    """A whole number within bounds."""

    metavar = "N"

    def __init__(self, fewest: int, most: float, wanted: str) -> None:
        self._fewest = fewest
        self._most = most
        self._wanted = wanted

    def of_toml(self, value: object) -> int:
        """As in the protocol."""
        if isinstance(value, bool) or not isinstance(value, int) or not self._fewest <= value <= self._most:
            raise Unfit(f"is not {self._wanted}")
        return value

    def of_text(self, text: str) -> int:
        """As in the protocol."""
        return self.of_toml(int(text) if text.isascii() and text.isdigit() else text)


class Count(_Whole):
    """A number of things, and not too few of them."""

    def __init__(self, fewest: int) -> None:
        super().__init__(fewest, math.inf, f"a number from {fewest} on")


class Port(_Whole):
    """A TCP port; 0 lets the kernel choose a free one."""

    metavar = "PORT"

    def __init__(self) -> None:
        super().__init__(0, _MOST_PORT, f"a port, 0 to {_MOST_PORT}")


class Directory:
    """The path of a directory. In a file it is absolute: who reads the file may be anywhere."""

    metavar = "DIR"

    def of_toml(self, value: object) -> Path:
        """As in the protocol."""
        if not isinstance(value, str) or not value.startswith("/"):
            raise Unfit("is not an absolute path in quotes")
        return Path(value)

    def of_text(self, text: str) -> Path:
        """As in the protocol."""
        if not text:  # as of a shell's variable that isn't set; it would be the working directory
            raise Unfit("is no path")
        return Path(text).absolute()
