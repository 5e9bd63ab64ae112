"""The tables of what many katas and many files cost; the runs themselves are for scripts/bench --growth."""

from benchmarks.table import Grown, Setting, Walked, growth, walked

_SETTING = Setting("6.1.0", 2, pinned=False, rounds=3, versions={"katafs": "1.0"})


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _grown(what: str, read_s: float) -> Grown:
    return Grown(what, [0.3, 0.1, 0.2], [50e6], [read_s], [0.002], [0.5], [60e6])


def test_a_row_has_the_medians_and_the_read_beside_that_of_the_fewest_katas() -> None:
    table = growth(_SETTING, 0.5, [[_grown("few", 0.0002), _grown("many", 0.00021)], [_grown("others", 0.0004)]])

    assert [_cells(line) for line in table.splitlines()[4:]] == [
        ["few", "200 ms", "50 MB", "200 µs", "1.00", "2.00 ms", "500 ms", "60 MB"],
        ["many", "200 ms", "50 MB", "210 µs", "1.05", "2.00 ms", "500 ms", "60 MB"],
        ["others", "200 ms", "50 MB", "400 µs", "1.00", "2.00 ms", "500 ms", "60 MB"],
    ]


def test_every_line_of_it_has_the_same_number_of_cells() -> None:
    lines = growth(_SETTING, 0.5, [[_grown("few", 0.0002)]]).splitlines()[2:]

    assert {line.count("|") for line in lines} == {9}


def test_a_walk_has_its_time_and_its_bounds() -> None:
    lines = walked([Walked("find", 41.9, 193e6, 2190, 218_979)]).splitlines()

    assert _cells(lines[-1]) == ["find", "41.9 s", "193 MB", "2,190", "218,979"]
    assert {line.count("|") for line in lines} == {6}
