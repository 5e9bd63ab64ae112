"""The commands of a page, out of its fenced blocks, so that what a test runs is what the page says."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


class Page:
    """One page, by its name in docs/ or its path. A block of it is asked for by something that is in it."""

    def __init__(self, name: str | Path) -> None:
        text = (DOCS / name).read_text()
        self._blocks = re.findall(r"^ *```(\w+)\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)

    def commands(self, having: str) -> str:
        """The block of a shell's commands that has this in it. Raises AssertionError where there isn't just one."""
        return self._block("sh", having)

    def file(self, kind: str, having: str) -> str:
        """The same of a file's content: `ini`, `toml`, …"""
        return self._block(kind, having)

    def blocks_of(self, kind: str) -> list[str]:
        """All blocks of a language."""
        return [block for each, block in self._blocks if each == kind]

    def _block(self, kind: str, having: str) -> str:
        found = [block for block in self.blocks_of(kind) if having in block]
        assert len(found) == 1, f"{len(found)} blocks of {kind} have {having!r}"
        return found[0]
