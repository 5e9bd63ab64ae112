"""From seconds to markdown: medians, ratios, and the line that says what they were measured on. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles

from benchmarks.candidates import BINDFS, EXT4, KATAFS
from benchmarks.requests import Profile

_CANDIDATES = (EXT4, BINDFS, KATAFS)
NOTHING_ELSE = "nothing else goes on"
"""How the rows begin or end that others are compared with."""
_RATIOS = ((KATAFS, EXT4), (KATAFS, BINDFS), (BINDFS, EXT4))


@dataclass(frozen=True)
class Setting:
    """What the figures were measured on, as far as it isn't one machine's own name."""

    kernel: str
    cpus: int
    pinned: bool
    rounds: int
    versions: Mapping[str, str]
    """By the program's or library's name."""
    warm_up: int = 0
    """So many rounds before them, which don't count, had the same daemons; 0 where each round has new ones."""

    def line(self) -> str:
        """One line above the table."""
        cpus = f"{self.cpus} CPU{'s' if self.cpus > 1 else ''}"
        pinned = " (client and daemon pinned to one)" if self.pinned else ""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return f"Linux {self.kernel}, {cpus}{pinned}, {versions}"


@dataclass
class Comparison:
    """A row of such a table: what each round took, in seconds."""

    what: str
    """What is done; where there are two ways, first the one without katafs."""
    without: list[float] = field(default_factory=list)
    """Without katafs; empty where there is no such way."""
    katafs: list[float] = field(default_factory=list)
    """With katafs; the same."""


@dataclass
class Grown:
    """A row of the table of what many katas cost: what was found in each round."""

    what: str
    start_s: list[float] = field(default_factory=list)
    """Until the mount answers."""
    resident_bytes: list[float] = field(default_factory=list)
    """After that."""
    read_s: list[float] = field(default_factory=list)
    """One file of one kata looked up, opened, read and closed."""
    first_s: list[float] = field(default_factory=list)
    """Until the first of a listing of all katas."""
    listed_s: list[float] = field(default_factory=list)
    """Until the last."""
    listed_bytes: list[float] = field(default_factory=list)
    """Resident after that."""


@dataclass(frozen=True)
class Walked:
    """A row of the table of walks over many files."""

    what: str
    seconds: float
    resident_bytes: float
    """The most."""
    descriptors: int
    inodes: int
    """The most that were remembered at a time."""


def growth(setting: Setting, load: float, groups: Sequence[Sequence[Grown]]) -> str:
    """The table of medians of what katas cost, whose reads are compared with those among the fewest of the group."""
    rounds = f"{setting.rounds} round{'s' if setting.rounds > 1 else ''}"
    heading = f"{setting.line()}. Medians of {rounds}; load {load:.1f} before."
    header = [
        "",
        "start",
        "resident",
        "read a file of one kata",
        "to the fewest",
        "first listed",
        "all listed",
        "resident then",
    ]
    rows = [[each.what, *_grown(each, group[0])] for group in groups for each in group]
    return f"{heading}\n\n{_markdown(header, rows)}"


def _grown(grown: Grown, fewest: Grown) -> list[str]:
    read_s = median(grown.read_s)
    return [
        _duration(median(grown.start_s)),
        _size(median(grown.resident_bytes)),
        _duration(read_s),
        _rounded(read_s / median(fewest.read_s), 3),
        _duration(median(grown.first_s)),
        _duration(median(grown.listed_s)),
        _size(median(grown.listed_bytes)),
    ]


def walked(rows: Sequence[Walked]) -> str:
    """The table of walks."""
    cells = [
        [each.what, _duration(each.seconds), _size(each.resident_bytes), f"{each.descriptors:,}", f"{each.inodes:,}"]
        for each in rows
    ]
    return _markdown(["", "time", "resident at most", "descriptors", "inodes at most"], cells)


def _size(size_bytes: float) -> str:
    return f"{size_bytes / 1e6:.0f} MB"


def comparisons(setting: Setting, load: float, rows: Sequence[Comparison]) -> str:
    """The table of medians of what is done in two ways, and how many times as long the way without katafs takes.

    `load` is the machine's load average before."""
    rounds = f"{setting.rounds} round{'s' if setting.rounds > 1 else ''}"
    heading = f"{setting.line()}. Medians of {rounds} in turns; load {load:.1f} before. Above 1, katafs is quicker."
    cells = [[each.what, *_compared(each)] for each in rows]
    return f"{heading}\n\n{_markdown(['', 'without', KATAFS, f'without/{KATAFS}'], cells)}"


def _compared(comparison: Comparison) -> list[str]:
    medians = [median(seconds) if seconds else None for seconds in (comparison.without, comparison.katafs)]
    without, katafs = medians
    ratio = "" if without is None or katafs is None else _rounded(without / katafs, 2)
    return [*("" if each is None else _duration(each) for each in medians), ratio]


def _duration(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{_rounded(seconds * factor, 3)} {unit}"
    return f"{_rounded(seconds * 1e6, 3)} µs"


@dataclass
class Latencies:
    """A row of the table of latencies: of each round the median and the 99th percentile, in seconds."""

    what: str
    """What goes on meanwhile."""
    rounds: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """By candidate."""

    def add(self, candidate: str, seconds: Sequence[float]) -> None:
        """Take in how long each of a round's readings took."""
        percentiles = quantiles(seconds, n=100)
        self.rounds.setdefault(candidate, []).append((percentiles[49], percentiles[98]))

    def typical(self, candidate: str) -> tuple[float, float] | None:
        """The medians over the rounds; None where it wasn't measured."""
        if candidate not in self.rounds:
            return None
        middles, tails = zip(*self.rounds[candidate], strict=True)
        return median(middles), median(tails)


def latencies(setting: Setting, load: float, rows: Sequence[Latencies]) -> str:
    """The table of medians and 99th percentiles. The last column of a candidate is its 99th percentile in the row, as a
    multiple of the last row's before in which nothing else went on: the first one, and each that says so.

    `load` is the machine's load average before."""
    rounds = f"{setting.rounds} round{'s' if setting.rounds > 1 else ''}"
    heading = f"{setting.line()}. Medians of {rounds}; load {load:.1f} before. Open, read and close a file of 1 KB."
    header = [""]
    for candidate in _CANDIDATES:
        header += [f"{candidate}: median", "99%", "99%/quiet"]
    cells, quiet = [], rows[0]
    for row in rows:
        quiet = row if row.what.endswith(NOTHING_ELSE) else quiet
        cells.append([row.what, *(cell for each in _CANDIDATES for cell in _tails(row, quiet, each))])
    return f"{heading}\n\n{_markdown(header, cells)}"


def _tails(row: Latencies, quiet: Latencies, candidate: str) -> list[str]:
    typical, at_best = row.typical(candidate), quiet.typical(candidate)
    if typical is None or at_best is None:
        return ["", "", ""]
    return [_duration(typical[0]), _duration(typical[1]), "" if row is quiet else _rounded(typical[1] / at_best[1], 2)]


def times(setting: Setting, seconds: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """The table of medians in seconds and of their ratios."""
    rounds = f"{setting.rounds} round{'s' if setting.rounds > 1 else ''}"
    if setting.warm_up:
        rounds += f" after {setting.warm_up} by the same daemons"
    mount = "" if setting.warm_up else "a new mount and "
    heading = (
        f"{setting.line()}. Medians of {rounds} in random order, in seconds. Cold: {mount}no names or inodes in the "
        "kernel's caches (`drop_caches` 2), while the disk's blocks are in memory."
    )
    header = ["", *_CANDIDATES, *(f"{one}/{other}" for one, other in _RATIOS)]
    rows = [[row, *_figures(by_candidate)] for row, by_candidate in seconds.items()]
    return f"{heading}\n\n{_markdown(header, rows)}"


def _figures(by_candidate: Mapping[str, Sequence[float]]) -> list[str]:
    medians = {name: median(by_candidate[name]) for name in _CANDIDATES}
    ratios = [medians[one] / medians[other] for one, other in _RATIOS]
    return [*(_rounded(medians[name], 3) for name in _CANDIDATES), *(_rounded(ratio, 2) for ratio in ratios)]


def _rounded(number: float, digits: int) -> str:
    """So many significant digits, without an exponent; those before the point are all kept."""
    magnitude = f"{number:.{digits - 1}e}"
    places = max(0, digits - 1 - int(magnitude.partition("e")[2]))
    return f"{number:.{places}f}"


def profiles(setting: Setting, profiles: Mapping[str, Profile]) -> str:
    """The table of what each workload took, what of it the daemon, and how many requests of each kind it made, the most
    frequent kind first."""
    kinds = [kind for kind, _ in sum((each.requests for each in profiles.values()), Counter[str]()).most_common()]
    rows = [
        [
            name,
            *(_duration(seconds) for seconds in (each.took_s, each.used.user_s, each.used.system_s)),
            f"{each.binding:.0%}",
            f"{each.requests.total():,}",
            *(f"{each.requests[kind]:,}" if each.requests[kind] else "" for kind in kinds),
        ]
        for name, each in profiles.items()
    ]
    heading = (
        f"{setting.line()}. FUSE requests on katafs in one run, how long it took, and how much of that the daemon was "
        "at work: in Python, and in the calls that it made. The binding's part is that of katafs/fuse, of another run."
    )
    header = ["", "took", "Python", "its calls", "binding", "requests", *kinds]
    return f"{heading}\n\n{_markdown(header, rows)}"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *("--:" for _ in header[1:])]
    return "\n".join("|" + "".join(f" {cell} |" if cell else " |" for cell in cells) for cells in (header, rule, *rows))
