"""A daemon that is killed while it converts what is written: nothing that it acknowledged is lost, nothing is half."""

import os
import random
import subprocess
from pathlib import Path

import pytest

from tests.harness.old_disk import FILES
from tests.harness.waiting import until
from tests.mounted.conftest import ServeLegacy
from tests.mounted.served import LegacyServed

KILLS = 10
"""For each of the two ways to convert."""
KATAS = 6
LARGE = {f"lion/sandbox/file-{number}": "x" * 20_000 for number in range(10)}

# Each kata's first change; what was acknowledged is recorded off the mount.
_SCRIPT = 'for kata in "$@"; do echo new > "$kata/manifest.json" && echo "$kata" >> {records} || exit 0; done'


def _writers(served: LegacyServed, katas: list[str], records: Path) -> list[subprocess.Popen[bytes]]:
    halves = (katas[::2], katas[1::2])
    return [
        subprocess.Popen(
            ["sh", "-c", _SCRIPT.format(records=f"{records}-{number}"), "sh", *map(str, map(served.path, half))],
            stderr=subprocess.DEVNULL,
        )
        for number, half in enumerate(halves)
    ]


def _recorded(records: Path) -> list[str]:
    files = [path for path in records.parent.glob(f"{records.name}-*") if path.exists()]
    return [line for path in files for line in path.read_text().splitlines()]


@pytest.mark.timeout(300)
def test_a_daemon_that_is_killed_while_it_converts_loses_nothing(serve_legacy: ServeLegacy, disk: Path) -> None:
    interrupted = 0
    served = serve_legacy()
    for number in range(KILLS):
        katas = [served.old({**FILES, **LARGE}) for _ in range(KATAS)]
        records = disk / f"records-{number}"
        writers = _writers(served, katas, records)
        wanted = random.Random(number).randrange(KATAS - 1)
        until(lambda records=records, wanted=wanted: len(_recorded(records)) >= wanted, "some changes")  # type: ignore[misc]
        served.mounted.kill()
        for writer in writers:
            assert writer.wait(60) == 0

        acknowledged = _recorded(records)
        interrupted += len(acknowledged) < KATAS
        served = serve_legacy()
        _assert_whole(served, katas, acknowledged)
        for kata in katas:
            (served.path(kata) / "again").write_text(kata)
        _assert_whole(served, katas, acknowledged)
        assert not any(served.is_on_disk(kata) for kata in katas)
    assert interrupted > KILLS / 2


def _assert_whole(served: LegacyServed, katas: list[str], acknowledged: list[str]) -> None:
    for kata in katas:
        path = served.path(kata)
        found = {str(file.relative_to(path)): file.read_text() for file in path.rglob("*") if file.is_file()}
        manifest = found.pop("manifest.json")
        assert manifest in ({"new\n"} if str(path) in acknowledged else {"", "new\n", FILES["manifest.json"]})
        found.pop("again", None)
        assert found == {name: content for name, content in {**FILES, **LARGE}.items() if name != "manifest.json"}
    assert {kata[:2] for kata in katas} <= set(os.listdir(served.top))
