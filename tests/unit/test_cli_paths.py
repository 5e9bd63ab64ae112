"""Paths on the command line, as every command takes them."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from katafs.cli.given_path import GivenPath
from katafs.cli.main import katafs


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["mount", ""], "[MOUNTPOINT]"),
        (["mount", "", "--config", "katas.toml"], "[MOUNTPOINT]"),
        (["umount", "--lazy", ""], "MOUNTPOINT"),
        (["status", ""], "MOUNTPOINT"),
        (["doctor", ""], "[MOUNTPOINT]..."),
        (["where", ""], "PATH"),
        (["document", ""], "DIRECTORY"),
        (["config", "show", "--config", ""], "--config"),
    ],
    ids=str,
)
def test_an_empty_path_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], name: str) -> None:
    """As of a variable that isn't set. It was the working directory, or another that a file names."""
    (tmp_path / "katas.toml").write_text(f'mountpoint = "{tmp_path}/not there"')
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(katafs, words)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(f"Error: Invalid value for '{name}': '' is no path\n")


def test_what_is_there_is_not_looked_at(tmp_path: Path) -> None:
    """The disk may hang."""
    (tmp_path / "file").touch()

    assert GivenPath(dir_okay=False).convert(str(tmp_path), None, None) == str(tmp_path)
    assert GivenPath(file_okay=False).convert(str(tmp_path / "file"), None, None) == str(tmp_path / "file")
