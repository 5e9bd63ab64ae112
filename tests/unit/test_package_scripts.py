"""What the package's scripts leave on a machine, in the place of which is a directory (DPKG_ROOT, dpkg(1))."""

from pathlib import Path

import pytest

from tests.harness.programs import run

POSTRM = Path(__file__).parents[2] / "packaging/postrm"

OURS = ["multi-user.target.wants/katafs@katas.service", "timers.target.wants/katafs-convert@katas.timer"]
OTHERS = [
    "multi-user.target.wants/docker.service",
    "timers.target.wants/apt-daily.timer",
    "katafs@katas.service.d/override.conf",
]


def enabled(root: Path) -> Path:
    """A machine on which instances were enabled, and other things; where their links are."""
    system = root / "etc/systemd/system"
    for name in (*OURS, *OTHERS):
        (system / name).parent.mkdir(parents=True, exist_ok=True)
        (system / name).symlink_to("/usr/lib/systemd/system/gone")
    return system


def links(system: Path) -> set[str]:
    """The links that there are."""
    return {str(path.relative_to(system)) for path in system.rglob("*") if path.is_symlink()}


def test_a_purge_takes_away_the_links_of_enabled_instances_and_nothing_else(tmp_path: Path) -> None:
    system = enabled(tmp_path)

    run(["sh", POSTRM, "purge"], env={"DPKG_ROOT": str(tmp_path)})

    assert links(system) == set(OTHERS)


def test_a_purge_where_nothing_was_enabled_is_fine(tmp_path: Path) -> None:
    run(["sh", POSTRM, "purge"], env={"DPKG_ROOT": str(tmp_path)})


@pytest.mark.parametrize("action", ["remove", "upgrade"])
def test_whatever_else_happens_they_stay(tmp_path: Path, action: str) -> None:
    system = enabled(tmp_path)

    run(["sh", POSTRM, action], env={"DPKG_ROOT": str(tmp_path)})

    assert links(system) == {*OURS, *OTHERS}
