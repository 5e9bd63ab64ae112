"""What a client draws: katas, names, sizes, contents. All of it follows from the seed, and all of it is bounded."""

import random

DIRECTORIES = ("lion", "lion/sandbox", "lion/sandbox/d", "tiger")
_EMPTY = ("lion/empty", "tiger/empty", "empty")
"""Directories in which nothing is ever made."""
_FILES = ("a", "b", "c", "long-name-" + "n" * 200)
_MORE_FILES = tuple(f"more-{number}" for number in range(12))
"""Names that are mostly free."""
_MODES = (0o600, 0o640, 0o644, 0o755, 0o444, 0o711)
_OWNERS = (0, 33, 1000, 19661)
_HELD = 4

LARGE_BYTES = 3 << 20
"""The most that is written at once, or a file is made to have."""


class Choice:
    """Draws from the seed. Names are few, so that most acts meet what was left by others."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self.katas: list[str] = []
        """The client's katas, as paths below the root, the oldest first."""
        self.bytes_drawn = 0

    def kata(self) -> str:
        """One of the client's katas, as a path below the root."""
        return self._random.choice(self.katas)

    def inside(self, more: float = 0.15) -> str:
        """A file's name below a kata, that mostly is there; `more` is how likely it is one that mostly isn't."""
        directory = self._random.choice(("", "lion", "lion/sandbox", *DIRECTORIES))
        names = _MORE_FILES if self._random.random() < more else _FILES
        return f"{directory}/{self._random.choice(names)}".lstrip("/")

    def file(self) -> str:
        """The same below the root."""
        return f"{self.kata()}/{self.inside()}"

    def new(self) -> str:
        """One that mostly isn't there."""
        return f"{self.kata()}/{self.inside(more=1)}"

    def empty(self) -> str:
        """A directory's name in which nothing is, if it is there."""
        return f"{self.kata()}/{self._random.choice(_EMPTY)}"

    def directory(self) -> str:
        """A directory's name below the root, not a kata's top."""
        return f"{self.kata()}/{self._random.choice(DIRECTORIES)}"

    def any(self) -> str:
        """A file's or a directory's name, or now and then a kata's."""
        draw = self._random.random()
        return self.file() if draw < 0.75 else self.directory() if draw < 0.95 else self.kata()

    def two(self) -> tuple[str, str]:
        """Two names of one kata, the second of which may be free: between katas there are no renames and links."""
        kata, draw = self.kata(), self._random.random()
        first = self._random.choice(DIRECTORIES) if draw < 0.1 else self.inside()
        second = self._random.choice((*DIRECTORIES, *_EMPTY)) if draw < 0.1 else self.inside(more=0.5)
        return f"{kata}/{first}", f"{kata}/{second}"

    def avatar(self) -> str:
        """An avatar's directory, which may have a repository."""
        return f"{self.kata()}/{self._random.choice(('lion', 'lion', 'tiger'))}"

    def size_bytes(self) -> int:
        """Mostly small, seldom some MB."""
        draw = self._random.random()
        return self._random.randrange(LARGE_BYTES if draw < 0.004 else 100_000 if draw < 0.1 else 5000)

    def content(self) -> bytes:
        """Random bytes, of such a size."""
        content = self._random.randbytes(self.size_bytes())
        self.bytes_drawn += len(content)
        return content

    def text(self) -> str:
        """A word or some, that a shell needn't quote."""
        return f"{self._random.randrange(10**6)}-" * self._random.randrange(1, 30)

    def mode(self) -> int:
        """Permissions."""
        return self._random.choice(_MODES)

    def owner(self) -> int:
        """A user's or group's number."""
        return self._random.choice(_OWNERS)

    def time_ns(self) -> int:
        """A time to set: before `entries.SET_BEFORE_NS`."""
        return self._random.randrange(10**18, 12 * 10**17)

    def held(self) -> int:
        """The number of a file that may be held open."""
        return self._random.randrange(_HELD)

    def of(self, *those: str) -> str:
        """One of those."""
        return self._random.choice(those)

    def number(self, below: int) -> int:
        """From 0 on."""
        return self._random.randrange(below)

    def weighted(self, weights: dict[str, int]) -> str:
        """One of the names."""
        return self._random.choices(list(weights), list(weights.values()))[0]
