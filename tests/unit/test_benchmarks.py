"""The benchmark's arithmetic and its table; the runs themselves are for scripts/bench."""

from collections import Counter
from dataclasses import replace

from benchmarks.candidates import CPU
from benchmarks.requests import Profile, counted
from benchmarks.table import Latencies, Setting, latencies, profiles, times

_SETTING = Setting("6.1.0", 2, pinned=False, rounds=3, versions={"katafs": "1.0", "libfuse": "3.14.0"})
_SECONDS = {"create": {"ext4": [0.5, 0.1, 0.2], "bindfs": [0.4, 0.4, 9.0], "katafs": [1.0, 1.2, 0.8]}}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_has_each_candidates_median_and_their_ratios() -> None:
    row = times(_SETTING, _SECONDS).splitlines()[-1]

    assert _cells(row) == ["create", "0.200", "0.400", "1.00", "5.0", "2.5", "2.0"]


def test_the_header_names_what_each_column_is() -> None:
    header = times(_SETTING, _SECONDS).splitlines()[2]

    assert _cells(header) == ["", "ext4", "bindfs", "katafs", "katafs/ext4", "katafs/bindfs", "bindfs/ext4"]


def test_the_median_of_an_even_number_of_rounds_is_between_the_middle_two() -> None:
    seconds = {"find": {"ext4": [1.0, 2.0], "bindfs": [1.0, 3.0], "katafs": [4.0, 4.0]}}

    assert _cells(times(_SETTING, seconds).splitlines()[-1])[1:4] == ["1.50", "2.00", "4.00"]


def test_small_figures_keep_their_digits_and_large_ones_lose_none() -> None:
    seconds = {"read": {"ext4": [0.00123], "bindfs": [1.0], "katafs": [123.4]}}

    assert _cells(times(_SETTING, seconds).splitlines()[-1])[1:] == ["0.00123", "1.00", "123", "100325", "123", "813"]


def test_a_figure_that_rounds_up_to_the_next_power_of_ten_has_no_digit_too_many() -> None:
    seconds = {"read": {"ext4": [1.0], "bindfs": [1.0], "katafs": [9.996]}}

    assert _cells(times(_SETTING, seconds).splitlines()[-1])[3:5] == ["10.0", "10"]


def test_the_heading_says_what_it_was_measured_on() -> None:
    heading = times(_SETTING, _SECONDS).splitlines()[0]

    assert heading.startswith("Linux 6.1.0, 2 CPUs, katafs 1.0, libfuse 3.14.0. Medians of 3 rounds in random order")


def test_the_heading_says_where_daemons_were_warm() -> None:
    cold, warm = (times(replace(_SETTING, warm_up=rounds), _SECONDS).splitlines()[0] for rounds in (0, 5))

    assert "Medians of 3 rounds in" in cold
    assert "Cold: a new mount and no names" in cold
    assert "Medians of 3 rounds after 5 by the same daemons in" in warm
    assert "Cold: no names" in warm


def test_the_heading_says_that_one_cpu_was_shared() -> None:
    pinned = Setting("6.1.0", 1, pinned=True, rounds=1, versions={})

    assert "1 CPU (client and daemon pinned to one)" in times(pinned, _SECONDS)


def test_latencies_are_medians_and_99th_percentiles_and_compared_with_a_quiet_row() -> None:
    quiet, busy = Latencies("nothing else goes on"), Latencies("a storm")
    for row, factor in ((quiet, 1), (busy, 3)):
        row.add("katafs", [factor * number / 1e6 for number in range(1, 1000)])
    lines = latencies(_SETTING, 0.5, [quiet, busy]).splitlines()

    assert _cells(lines[4]) == ["nothing else goes on", *6 * [""], "500 µs", "990 µs", ""]
    assert _cells(lines[5]) == ["a storm", *6 * [""], "1.50 ms", "2.97 ms", "3.0"]


def test_every_line_of_the_table_has_the_same_number_of_cells() -> None:
    table = times(_SETTING, _SECONDS).splitlines()[2:]

    assert {line.count("|") for line in table} == {8}


def test_requests_are_counted_by_kind_on_the_given_connections_only() -> None:
    lines = [
        "# tracer: nop",
        " find-1 [000] ..... 1.0: fuse_request_send: connection 42 req 2 opcode 1 (FUSE_LOOKUP) len 48 ",
        " find-1 [000] ..... 1.1: fuse_request_send: connection 42 req 4 opcode 1 (FUSE_LOOKUP) len 48 ",
        " find-1 [001] ..... 1.2: fuse_request_send: connection 42 req 6 opcode 44 (FUSE_READDIRPLUS) len 80 ",
        " find-1 [001] ..... 1.3: fuse_request_send: connection 43 req 6 opcode 1 (FUSE_LOOKUP) len 48 ",
    ]

    assert counted(lines, {42}) == Counter(LOOKUP=2, READDIRPLUS=1)


def test_the_most_frequent_kind_of_request_comes_first() -> None:
    made = {"find": Counter(OPEN=1, LOOKUP=1200), "git": Counter(OPEN=7)}
    of_each = {name: Profile(requests, 2.0, CPU(0.5, 0.25), 0.254) for name, requests in made.items()}
    table = profiles(_SETTING, of_each).splitlines()

    assert [_cells(line) for line in (table[2], *table[4:])] == [
        ["", "took", "Python", "its calls", "binding", "requests", "LOOKUP", "OPEN"],
        ["find", "2.00 s", "500 ms", "250 ms", "25%", "1,201", "1,200", "1"],
        ["git", "2.00 s", "500 ms", "250 ms", "25%", "7", "", "7"],
    ]
