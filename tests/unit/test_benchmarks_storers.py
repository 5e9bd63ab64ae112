"""The storers' table, and what its volumes are; the runs themselves are for scripts/bench --storers."""

import json

import pytest

from benchmarks.finding import volumes_of
from benchmarks.stub_engine import matching
from benchmarks.table import Comparison, Setting, comparisons
from katafs.kata_id import volume_owner

_SETTING = Setting("6.1.0", 2, pinned=False, rounds=3, versions={"katafs": "1.0", "Docker": "20.10.24"})
_VOLUMES = [{"Name": name} for name in ("123456789A", "123456789A_lion", "12FEDCBA98", "0123456789")]


def _cells(comparison: Comparison) -> list[str]:
    row = comparisons(_SETTING, 0.5, [comparison]).splitlines()[-1]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_a_row_has_both_medians_and_how_many_times_as_long_the_other_takes() -> None:
    assert _cells(Comparison("run", [3.0, 1.0, 2.0], [0.5, 9.0, 0.4])) == ["run", "2.00 s", "500 ms", "4.0"]


def test_what_only_katafs_does_has_no_ratio() -> None:
    assert _cells(Comparison("open", katafs=[0.0125])) == ["open", "", "12.5 ms", ""]


def test_what_only_the_other_does_has_no_ratio() -> None:
    assert _cells(Comparison("nothing", [0.0125])) == ["nothing", "12.5 ms", "", ""]


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.34, "12.3 s"), (0.9994, "999 ms"), (0.001, "1.00 ms"), (0.00000073, "0.730 µs")]
)
def test_a_duration_has_the_unit_that_suits_it(seconds: float, text: str) -> None:
    assert _cells(Comparison("it", katafs=[seconds]))[2] == text


def test_the_heading_says_what_it_was_measured_on_and_how_busy_that_was() -> None:
    heading = comparisons(_SETTING, 4.62, []).splitlines()[0]

    assert heading.startswith(
        "Linux 6.1.0, 2 CPUs, katafs 1.0, Docker 20.10.24. Medians of 3 rounds in turns; load 4.6"
    )


def test_as_many_volumes_as_wanted_have_a_kata_each_and_names_of_their_own() -> None:
    names = volumes_of(50_000)

    assert len(set(names)) == 50_000
    assert all(volume_owner(name) for name in names)


@pytest.mark.parametrize("patterns", [["^123456789A"], {"^123456789A": True}], ids=["array", "object"])
def test_the_stub_filters_by_the_beginning_of_a_name(patterns: object) -> None:
    found = matching(_VOLUMES, json.dumps({"name": patterns}))

    assert [volume["Name"] for volume in found] == ["123456789A", "123456789A_lion"]


def test_the_stub_finds_a_pattern_anywhere_in_a_name_as_the_engine_does() -> None:
    assert len(matching(_VOLUMES, '{"name": ["123456789"]}')) == 3


def test_the_stub_refuses_a_filter_that_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="by name only"):
        matching(_VOLUMES, '{"dangling": ["true"]}')
