"""README's first command, and the way back that it prints."""

from pathlib import Path

from tests.harness import needs
from tests.harness.mount_table import mount_at
from tests.harness.programs import run

_DEMO = Path(__file__).parents[2] / "scripts" / "demo"


def test_the_demo_works_twice_and_says_how_to_end_it() -> None:
    needs.fuse()
    needs.programs("rsync")

    demos = [run([_DEMO], timeout=250).stdout for _ in range(2)]

    ends = [demo.rstrip().splitlines()[-1].strip() for demo in demos]
    directories = [Path(end.split()[-1]) for end in ends]
    mounted = [mount_at(directory / "katas") is not None for directory in directories]
    for end in ends:
        run(["sh", "-c", end])
    assert mounted == [True, True]
    assert not any(directory.exists() for directory in directories)
    assert all("123456789A" in demo for demo in demos)
