"""Rounds of a change to a directory and a look at it from elsewhere, held to what a disk would show.

A change is a line for a shell that works in the directory; what it makes of it is noted here. A look is lstat, open and
read, readlink or a listing, also of what is held open from a round before.
"""

import os
import random
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

NAMES = ("a", "b", "c", "d", "e", "f")

Order = Callable[[str], None]
"""Does one line of shell in the directory, and returns when it is done."""


@dataclass(eq=False)
class File:
    """A regular file under some of the names."""

    content: bytes
    mode: int = 0o644


@dataclass(eq=False)
class Link:
    """A symbolic link."""

    target: str


@dataclass(eq=False)
class Directory:
    """A directory with one file for each of its names."""

    names: set[str] = field(default_factory=set)


Kind = File | Link | Directory


class Rounds:
    """One directory, seen through a mount, and what must be in it."""

    def __init__(self, shown: Path, order: Order, seed: int = 1) -> None:
        """The directory is empty, and nobody else works in it."""
        self._shown = shown
        self.order = order
        self._random = random.Random(seed)
        self._there: dict[str, Kind] = {}
        self._count = 0
        self._changed = ""

    def change(self) -> str:
        """Have one change made, of those that are possible; what it was."""
        self._changed = name = self._random.choice(NAMES)
        self._count += 1
        script = self._random.choice(list(self._changes(name)))()
        self.order(script)
        return script

    def look(self, names: Sequence[str] = NAMES) -> None:
        """Look at these, and at the listing, in whatever order. Raises AssertionError, or OSError, where anything isn't
        as it was last left."""
        looks = [partial(self._look_at, name) for name in names]
        looks.insert(self._random.randrange(len(looks) + 1), partial(self._list))
        for look in looks:
            look()

    def look_at_status(self) -> None:
        """Only lstat of each name, of which the kernel may know all it asks for. Raises AssertionError."""
        for name in NAMES:
            assert os.path.lexists(self._shown / name) == (name in self._there), name

    def shows(self) -> bool:
        """Whether all is as it was last left."""
        try:
            self.look()
        except (AssertionError, OSError):
            return False
        return True

    def run(self, count: int) -> None:
        """So many rounds. Raises AssertionError with the change that didn't show."""
        with _Held(self._shown) as held:
            for number in range(count):
                if number % 20 == 0:
                    files = [(name, each) for name, each in self._there.items() if isinstance(each, File)]
                    held.hold(files[:2])
                script = self.change()
                try:
                    self.look([self._changed, self._random.choice(NAMES)])
                    held.look(sorted(self._there))
                except (AssertionError, OSError) as stale:
                    raise AssertionError(f"round {number}, after {script!r}: {stale}") from stale

    # Changes

    def _changes(self, name: str) -> Iterator[Callable[[], str]]:
        there = self._there.get(name)
        if there is None:
            yield from (lambda: self._rewrite(name), lambda: self._mkdir(name), lambda: self._symlink(name))
            yield lambda: self._rename_over(name)
            for other, each in self._there.items():
                if isinstance(each, File):
                    yield lambda other=other, each=each: self._link(other, name, each)  # type: ignore[misc]
                yield lambda other=other: self._rename(other, name)  # type: ignore[misc]
        elif isinstance(there, File):
            yield from (lambda: self._rewrite(name), lambda: self._append(name, there), lambda: self._unlink(name))
            yield from (lambda: self._rename_over(name), lambda: self._same_size(name, there))
            yield from (lambda: self._chmod(name, there), lambda: self._truncate(name, there))
            yield lambda: self._replaced_at_once(name, there)
        elif isinstance(there, Link):
            yield from (lambda: self._symlink(name), lambda: self._unlink(name), lambda: self._rename_over(name))
        else:
            yield from (lambda: self._fill(name, there), lambda: self._rmdir(name))

    def _text(self) -> str:
        return f"{self._count}-" * self._random.randrange(1, 40)

    def _rewrite(self, name: str) -> str:
        text, there = self._text(), self._there.get(name)
        if isinstance(there, File):
            there.content = text.encode()
        else:
            self._there[name] = File(text.encode())
        return f"printf %s {text} > {name}"

    def _append(self, name: str, there: File) -> str:
        text = self._text()
        there.content += text.encode()
        return f"printf %s {text} >> {name}"

    def _same_size(self, name: str, there: File) -> str:
        """Other content, in place, with as many bytes and the time of before: only ctime tells."""
        there.content = (f"{self._count:06}" * len(there.content)).encode()[: len(there.content)]
        text = there.content.decode()
        return f"touch -r {name} .time && printf %s '{text}' > {name} && touch -r .time {name} && rm .time"

    def _truncate(self, name: str, there: File) -> str:
        size = self._random.randrange(0, 100)
        there.content = there.content[:size].ljust(size, b"\0")
        return f"truncate -s {size} {name}"

    def _chmod(self, name: str, there: File) -> str:
        there.mode = self._random.choice((0o600, 0o640, 0o644, 0o755))
        return f"chmod {there.mode:o} {name}"

    def _rename_over(self, name: str) -> str:
        text = self._text()
        self._there[name] = File(text.encode())
        return f"printf %s {text} > .new && mv -T .new {name}"

    def _replaced_at_once(self, name: str, there: File) -> str:
        """Removed, and one of the same size made, which mostly gets the same inode number."""
        text = (f"{self._count:06}" * len(there.content))[: len(there.content)]
        self._there[name] = File(text.encode())
        return f"rm {name} && printf %s '{text}' > {name}"

    def _rename(self, old: str, new: str) -> str:
        self._there[new] = self._there.pop(old)
        return f"mv -T {old} {new}"

    def _link(self, old: str, new: str, there: File) -> str:
        self._there[new] = there
        return f"ln {old} {new}"

    def _unlink(self, name: str) -> str:
        del self._there[name]
        return f"rm {name}"

    def _symlink(self, name: str) -> str:
        text = self._text()
        self._there[name] = Link(text)
        return f"ln -s {text} .new && mv -T .new {name}"

    def _mkdir(self, name: str) -> str:
        self._there[name] = Directory()
        return f"mkdir {name}"

    def _fill(self, name: str, there: Directory) -> str:
        entry = f"{self._count}"
        there.names.add(entry)
        return f"printf %s {entry} > {name}/{entry}"

    def _rmdir(self, name: str) -> str:
        del self._there[name]
        return f"rm -r {name}"

    # Looks

    def _list(self) -> None:
        assert sorted(os.listdir(self._shown)) == sorted(self._there), "the listing"

    def _look_at(self, name: str) -> None:
        there, path = self._there.get(name), self._shown / name
        if there is None:
            assert not os.path.lexists(path), f"{name} is still there"
            return
        looks = {File: self._look_at_file, Link: self._look_at_link, Directory: self._look_at_directory}
        looks[type(there)](path, there)  # type: ignore[operator]  # each is of its own kind

    def _look_at_file(self, path: Path, there: File) -> None:
        def content() -> None:
            if os.geteuid() == 0 or there.mode & 0o400:
                assert path.read_bytes() == there.content, f"the content of {path.name}"

        def status() -> None:
            links = sum(each is there for each in self._there.values())
            found = path.lstat()
            assert stat.S_ISREG(found.st_mode), path.name
            told = found.st_size, stat.S_IMODE(found.st_mode), found.st_nlink
            assert told == (len(there.content), there.mode, links), f"size, mode and links of {path.name}"

        for look in self._random.sample((content, status), 2):
            look()

    @staticmethod
    def _look_at_link(path: Path, there: Link) -> None:
        assert os.readlink(path) == there.target, f"the target of {path.name}"
        assert path.lstat().st_size == len(there.target), f"the size of {path.name}"

    @staticmethod
    def _look_at_directory(path: Path, there: Directory) -> None:
        assert path.is_dir(), path.name
        assert sorted(os.listdir(path)) == sorted(there.names), f"the names in {path.name}"
        for entry in there.names:
            assert (path / entry).read_text() == entry, f"{path.name}/{entry}"


class _Held:
    """Files and the directory itself, held open over many rounds: opened for reading, and in a way in which no kernel
    goes past the daemon."""

    def __init__(self, shown: Path) -> None:
        self._shown = shown
        self._files: list[tuple[int, str, File]] = []
        self._ends = ExitStack()

    def __enter__(self) -> "_Held":
        self._directory = os.open(self._shown, os.O_RDONLY | os.O_DIRECTORY)
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()
        os.close(self._directory)

    def hold(self, files: Sequence[tuple[str, File]]) -> None:
        """Hold these, in the place of those up to now."""
        self._ends.close()
        self._files = []
        for number, (name, file) in enumerate(files):
            flags = (os.O_RDONLY, os.O_RDWR | os.O_APPEND)[number % 2]
            descriptor = os.open(self._shown / name, flags)
            self._ends.callback(os.close, descriptor)
            self._files.append((descriptor, name, file))

    def look(self, names: list[str]) -> None:
        """Raises AssertionError where an open file hasn't what was written last, or the directory not these names."""
        assert sorted(os.listdir(self._directory)) == names, "the listing of the open directory"
        for descriptor, name, file in self._files:
            assert os.pread(descriptor, 1 << 20, 0) == file.content, f"the content of {name}, which is open"
            assert os.fstat(descriptor).st_size == len(file.content), f"the size of {name}, which is open"
