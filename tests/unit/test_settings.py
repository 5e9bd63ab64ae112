"""Settings from a file, from variables and from flags: what wins, where a value comes from, and what is refused."""

import errno
import os
import re
from pathlib import Path

import pytest

from katafs.config import Convert, Sandboxes, Tags
from katafs.errors import BadSetting
from katafs.namespace import Layout
from katafs.settings.settings import KNOWN, Settings
from katafs.settings.sources import DEFAULT, Given, found

WHOLE = """\
# Everything there is.
mountpoint = "/katas"
volumes = "dir:/srv/katas"
prefix = "old-"
layout = "split"
sandboxes = "avatar"
tags = "off"
legacy = "/srv/old"
convert = "on-open"
read_only = true
noexec = true
timeout = 2
negative_timeout = 0.5
inodes = 5000
open_directories = 100
nonempty = true
xattrs = false
allow_other = false
awake = false
debug = true
metrics = 9100
"""

WANTED = Settings(
    mountpoint=Path("/katas"),
    volumes="dir:/srv/katas",
    prefix="old-",
    layout=Layout.SPLIT,
    sandboxes=Sandboxes.AVATAR,
    tags=Tags.OFF,
    legacy=Path("/srv/old"),
    convert=Convert.ON_OPEN,
    read_only=True,
    noexec=True,
    timeout=2.0,
    negative_timeout=0.5,
    inodes=5000,
    open_directories=100,
    nonempty=True,
    xattrs=False,
    allow_other=False,
    awake=False,
    debug=True,
    metrics=9100,
)


README = Path(__file__).parents[2] / "README.md"


def written(directory: Path, content: str | bytes) -> Path:
    path = directory / "katas.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(file: Path | None, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(BadSetting) as refused:
        found(file, environment or {}, {})
    return str(refused.value)


def test_without_sources_everything_is_a_default() -> None:
    nothing = found(None, {}, {})

    assert nothing.settings == Settings()
    assert set(nothing.origins.values()) == {DEFAULT}


def test_a_file_sets_everything(tmp_path: Path) -> None:
    assert found(written(tmp_path, WHOLE), {}, {}).settings == WANTED


def test_the_readmes_file_is_one(tmp_path: Path) -> None:
    (block,) = re.findall(r"(?m)(?:^    \w+ = .*\n)+", README.read_text())

    assert found(written(tmp_path, block.replace("    ", "")), {}, {}).settings.mountpoint == Path("/katas")


def test_so_do_variables() -> None:
    lines = [line.split(" = ") for line in WHOLE.splitlines()[1:]]
    environment = {f"KATAFS_{name.upper()}": value.strip('"') for name, value in lines}

    assert len(environment) == len(KNOWN)
    assert found(None, environment, {}).settings == WANTED


def test_each_value_says_where_it_comes_from(tmp_path: Path) -> None:
    path = written(tmp_path, WHOLE)

    origins = found(path, {"KATAFS_TIMEOUT": "3"}, {"prefix": Given("p", "flag --prefix")}).origins

    assert (origins["layout"], origins["timeout"], origins["prefix"]) == (
        f"file {path}:5",
        "environment variable KATAFS_TIMEOUT",
        "flag --prefix",
    )


@pytest.mark.parametrize(
    ("environment", "flags", "wanted"),
    [
        ({}, {}, 1.5),
        ({"KATAFS_TIMEOUT": "2.5"}, {}, 2.5),
        ({"KATAFS_TIMEOUT": ""}, {}, 1.5),
        ({}, {"timeout": Given(3.5, "flag")}, 3.5),
        ({"KATAFS_TIMEOUT": "2.5"}, {"timeout": Given(3.5, "flag")}, 3.5),
    ],
)
def test_flags_win_over_variables_and_those_over_the_file(
    tmp_path: Path, environment: dict[str, str], flags: dict[str, Given], wanted: float
) -> None:
    assert found(written(tmp_path, "timeout = 1.5"), environment, flags).settings.timeout == wanted


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("layout = split", 1, "Invalid value"),
        ("\n\nlayout 'split'", 3, "Expected '='"),
        ("layout = 'split'\n[", 2, "Invalid initial character"),
        ("prefix = 'a'\nprefix = 'b'", 2, "Cannot overwrite a value"),
        ("\nlayuot = 'split'", 2, "unknown setting 'layuot'; did you mean 'layout'?"),
        ("\n\n[mount]\nlayout = 'split'", 3, "unknown setting 'mount'"),
        ("xyzzy = 1", 1, "unknown setting 'xyzzy'"),
        ("\nlayout = 'round'", 2, "layout: is not one of flat, split"),
        ("layout = ['flat']", 1, "layout: is not one of"),
        ("timeout = 'soon'", 1, "timeout: is not a number of seconds"),
        ("timeout = true", 1, "timeout: is not a number of seconds"),
        ("timeout = -1", 1, "timeout: is not a number of seconds"),
        ("timeout = inf", 1, "timeout: is not a number of seconds"),
        ("read_only = 1", 1, "read_only: is neither true nor false"),
        ("prefix = 7", 1, "prefix: is nothing that the name of a volume can begin with"),
        ("prefix = '../outside/'", 1, "prefix: is nothing that the name of a volume can begin with"),
        ("\nvolumes = 'ftp:there'", 2, "volumes: is neither docker nor dir:/PATH, in quotes"),
        ("volumes = 'dir:here'", 1, "volumes: is neither docker nor dir:/PATH, in quotes"),
        ("legacy = 'old'", 1, "legacy: is not an absolute path in quotes"),
        ("metrics = 65536", 1, "metrics: is not a port"),
        ("metrics = '9100'", 1, "metrics: is not a port"),
        (b"prefix = 'a'\n\xff = 1", 2, "is not UTF-8"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line_that_names_file_and_line(
    tmp_path: Path, content: str | bytes, line: int, said: str
) -> None:
    path = written(tmp_path, content)

    refused = refusal(path)

    assert refused.startswith(f"{path}:{line}: {said}")
    assert "\n" not in refused


def test_no_near_name_is_guessed_for_a_far_one(tmp_path: Path) -> None:
    assert "did you mean" not in refusal(written(tmp_path, "xyzzy = 1"))


@pytest.mark.parametrize(("name", "number"), [("missing.toml", errno.ENOENT), (".", errno.EISDIR)])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, number: int) -> None:
    assert refusal(tmp_path / name) == f"{tmp_path / name}: {os.strerror(number)}"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("KATAFS_TIMEOUT", "soon", "is not a number of seconds"),
        ("KATAFS_VOLUMES", "ftp:there", "is neither docker nor dir:PATH"),
        ("KATAFS_VOLUMES", "dir:", "is neither docker nor dir:PATH"),
        ("KATAFS_READ_ONLY", "perhaps", "is neither true nor false"),
        (
            "KATAFS_PREFIX",
            "../outside/",
            "is nothing that the name of a volume can begin with: letters, digits, then also _ . -",
        ),
        ("KATAFS_LAYOUT", "round", "is not one of flat, split"),
        ("KATAFS_METRICS", "http", "is not a port, 0 to 65535"),
        ("KATAFS_METRICS", "\N{SUPERSCRIPT TWO}", "is not a port, 0 to 65535"),
    ],
)
def test_what_is_wrong_in_a_variable_names_it(name: str, text: str, said: str) -> None:
    assert refusal(None, {name: text}) == f"environment variable {name}={text}: {said}"


@pytest.mark.parametrize("name", ["KATAFS_OPTIONS", "KATAFS_TEST_DIR", "TIMEOUT", "katafs_timeout"])
def test_other_variables_are_not_looked_at(name: str) -> None:
    assert found(None, {name: "anything"}, {}).settings == Settings()


@pytest.mark.parametrize(("text", "wanted"), [("yes", True), ("On", True), ("1", True), ("no", False), ("0", False)])
def test_yes_and_no_in_a_variable(text: str, wanted: bool) -> None:
    assert found(None, {"KATAFS_READ_ONLY": text}, {}).settings.read_only is wanted


@pytest.mark.parametrize(("layout", "wanted"), [(Layout.FLAT, Tags.LISTED), (Layout.SPLIT, Tags.UNLISTED)])
def test_how_tags_show_goes_by_the_layout_where_it_was_left_open(layout: Layout, wanted: Tags) -> None:
    assert Settings(layout=layout).tags_shown is wanted
    assert Settings(layout=layout, tags=Tags.OFF).tags_shown is Tags.OFF
