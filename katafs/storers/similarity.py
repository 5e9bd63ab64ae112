"""Which old file each new one comes from: git's rules for renames and copies (diffcore-rename.c), at its 50 percent,
with every old file as a possible source, as `--find-copies-harder` has it. Pure.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

_MAX_SCORE = 60000
_MIN_SCORE = 30000
_CANDIDATES = 4
"""How many sources git remembers for a new file."""
_MOST_PAIRS = 1000 * 1000
"""git's diff.renameLimit, squared: with more pairs than this it looks for identical files only, and only among those
that changed does it look for similar ones."""
_CHUNK_BYTES = 64
_BINARY_WITHIN_BYTES = 8000


class Pairing(NamedTuple):
    """An old file (None: it was added), a new one (None: it was deleted), and whether the old one is used elsewhere."""

    source: bytes | None
    target: bytes | None
    copied: bool = False


@dataclass
class _Source:
    name: bytes
    content: bytes
    used: int
    """By how many new files, itself included if it isn't deleted."""
    changed: bool
    chunks: Counter[bytes] | None = field(default=None)


def pairings(before: Mapping[bytes, bytes], after: Mapping[bytes, bytes]) -> list[Pairing]:
    """Every file that differs and where it comes from, sorted by name; files that are the same are left out."""
    added = sorted(after.keys() - before.keys())
    sources = [
        _Source(name, content, int(name in after), after.get(name) != content)
        for name, content in sorted(before.items())
    ]
    origins = _identical(added, after, sources)
    origins.update(_similar([name for name in added if name not in origins], after, sources))
    return sorted(
        _resolved(before, after, origins, sources), key=lambda pairing: pairing.target or pairing.source or b""
    )


def _resolved(
    before: Mapping[bytes, bytes],
    after: Mapping[bytes, bytes],
    origins: Mapping[bytes, _Source],
    sources: list[_Source],
) -> Iterator[Pairing]:
    """The last new file that a deleted one became is its rename; those before are copies."""
    for name in sorted(after):
        if name in before:
            if before[name] != after[name]:
                yield Pairing(name, name)
        elif name in origins:
            source = origins[name]
            source.used -= 1
            yield Pairing(source.name, name, copied=source.used > 0)
        else:
            yield Pairing(None, name)
    renamed = {source.name for source in origins.values()}
    for source in sources:
        if source.name not in after and source.name not in renamed:
            yield Pairing(source.name, None)


def _identical(added: list[bytes], after: Mapping[bytes, bytes], sources: list[_Source]) -> dict[bytes, _Source]:
    """The new files that are an old one's twin; one that isn't used yet and has the same name is the best."""
    by_content: dict[bytes, list[_Source]] = {}
    for source in sources:
        by_content.setdefault(source.content, []).append(source)
    found = {}
    for name in added:
        twins = by_content.get(after[name], [])
        if twins:
            # max takes the first of the best, as git does. Names in one directory never are the same.
            best = max(twins[:100], key=lambda source: not source.used)
            best.used += 1
            found[name] = best
    return found


def _similar(added: list[bytes], after: Mapping[bytes, bytes], sources: list[_Source]) -> dict[bytes, _Source]:
    """The best matches first; a file that is still there is a source only for what found no deleted one."""
    if len(added) * len(sources) > _MOST_PAIRS:
        sources = [source for source in sources if source.changed]
        if len(added) * len(sources) > _MOST_PAIRS:
            return {}
    scored = [entry for name in added for entry in _best(name, after[name], sources)]
    scored.sort(key=lambda entry: -entry[0])
    found: dict[bytes, _Source] = {}
    for copies in (False, True):
        for score, name, source in scored:
            if score >= _MIN_SCORE and name not in found and (copies or not source.used):
                source.used += 1
                found[name] = source
    return found


def _best(name: bytes, content: bytes, sources: list[_Source]) -> list[tuple[int, bytes, _Source]]:
    chunks = _chunks(content)
    kept: list[tuple[int, bytes, _Source]] = []
    for source in sources:
        entry = (_score(source, content, chunks), name, source)
        if len(kept) < _CANDIDATES:
            kept.append(entry)
            continue
        worst = min(range(_CANDIDATES), key=lambda index: kept[index][0])
        if entry[0] > kept[worst][0]:
            kept[worst] = entry
    return kept


def _score(source: _Source, content: bytes, chunks: Counter[bytes]) -> int:
    larger, smaller = max(len(source.content), len(content)), min(len(source.content), len(content))
    if larger * (_MAX_SCORE - _MIN_SCORE) < (larger - smaller) * _MAX_SCORE or not content:
        return 0
    if source.chunks is None:
        source.chunks = _chunks(source.content)
    copied = sum(min(count, source.chunks.get(chunk, 0)) * len(chunk) for chunk, count in chunks.items())
    return copied * _MAX_SCORE // larger


def _chunks(content: bytes) -> Counter[bytes]:
    """Lines, in parts of at most 64 bytes; text without the CR of its CRLF. Before 2.44 git left out a last line
    without a newline, and so may see another pair where two are nearly as similar."""
    text = content if is_binary(content) else content.replace(b"\r\n", b"\n")
    return Counter(
        line[start : start + _CHUNK_BYTES] for line in _lines(text) for start in range(0, len(line), _CHUNK_BYTES)
    )


def _lines(content: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in content.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines


def is_binary(content: bytes) -> bool:
    """Whether git takes the file for binary: it has a NUL near its beginning."""
    return b"\0" in content[:_BINARY_WITHIN_BYTES]
