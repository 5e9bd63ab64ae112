"""What every storer promises of avatars and their sandboxes."""

import os
import resource
from concurrent.futures import ThreadPoolExecutor

import pytest

from katafs import errors
from katafs.kata_id import AVATARS, AvatarName
from katafs.storers.storer import Delta, Storer
from tests.contract.storers.cells import KATA, START, WHATEVER_THE_STORE, Cell

RACERS = 4


def test_an_avatar_gets_the_first_name(storer: Storer, kata: str) -> None:
    assert storer.start_avatar(kata, ["lion", "bear"]) == "lion"


def test_an_avatar_gets_the_first_name_that_is_free(storer: Storer, kata: str, lion: str) -> None:
    assert storer.start_avatar(kata, [lion, "bear"]) == "bear"


def test_no_avatar_is_started_where_every_name_is_taken(storer: Storer, kata: str, lion: str) -> None:
    assert storer.start_avatar(kata, [lion]) is None


def test_started_avatars_are_listed_in_order(storer: Storer, kata: str) -> None:
    for name in ("lion", "bear"):
        storer.start_avatar(kata, [name])
    assert storer.started_avatars(kata) == [AvatarName("bear"), AvatarName("lion")]


def test_a_new_kata_has_no_avatars(storer: Storer, kata: str) -> None:
    assert storer.started_avatars(kata) == []


def test_a_started_avatar_exists(storer: Storer, kata: str, lion: str) -> None:
    assert storer.avatar_exists(kata, lion)


@WHATEVER_THE_STORE
@pytest.mark.parametrize(
    ("where", "name"),
    [(KATA, "bear"), (KATA, "cat"), (KATA, None), ("nokata", "lion"), (None, "lion"), ("12FEDCBA98", "lion")],
)
@pytest.mark.usefixtures("lion")
def test_what_was_not_started_does_not_exist(storer: Storer, where: str, name: str) -> None:
    assert not storer.avatar_exists(where, name)


def test_an_unknown_avatar_is_refused_and_none_is_started(storer: Storer, kata: str) -> None:
    with pytest.raises(errors.BadAvatar):
        storer.start_avatar(kata, ["lion", "cat"])
    assert storer.started_avatars(kata) == []


def test_an_avatar_of_a_missing_kata_is_refused(storer: Storer) -> None:
    with pytest.raises(errors.KataNotFound):
        storer.start_avatar(KATA, ["lion"])


def test_racing_storers_start_each_avatar_once(cell: Cell, storer: Storer, kata: str) -> None:
    racers = [storer, *(cell.storer() for _ in range(RACERS - 1))]
    with ThreadPoolExecutor(RACERS) as pool:
        got = list(pool.map(lambda racer: racer.start_avatar(kata, AVATARS[: RACERS - 1]), racers))
    assert sorted(got, key=str) == sorted([None, *AVATARS[: RACERS - 1]], key=str)


@pytest.mark.usefixtures("lion")
def test_a_new_sandbox_has_the_katas_files(cell: Cell) -> None:
    found = {path.name: path.read_text() for path in cell.sandbox().iterdir()}
    assert found == START


@pytest.mark.usefixtures("lion")
def test_scripts_are_executable_and_other_files_are_not(cell: Cell) -> None:
    modes = {path.name: path.stat().st_mode & 0o111 for path in cell.sandbox().iterdir()}
    assert {name for name, bits in modes.items() if bits} == {"cyber-dojo.sh"}


def test_a_new_avatars_visible_files_are_the_katas(storer: Storer, kata: str, lion: str) -> None:
    assert storer.avatar_visible_files(kata, lion) == START


def test_saving_writes_new_and_changed_files(storer: Storer, kata: str, lion: str, cell: Cell) -> None:
    files = {**START, "new.py": "new\n", "hiker.py": "changed\n"}
    storer.sandbox_save(kata, lion, Delta(new=["new.py"], changed=["hiker.py"]), files)
    assert [(cell.sandbox() / name).read_text() for name in ("new.py", "hiker.py")] == ["new\n", "changed\n"]


def test_saving_removes_deleted_files(storer: Storer, kata: str, lion: str, cell: Cell) -> None:
    storer.sandbox_save(kata, lion, Delta(deleted=["instructions"]), {})
    assert not (cell.sandbox() / "instructions").exists()


def test_deleting_every_file_leaves_the_sandbox(storer: Storer, kata: str, lion: str, cell: Cell) -> None:
    storer.sandbox_save(kata, lion, Delta(deleted=list(START)), {})
    assert list(cell.sandbox().iterdir()) == []


def test_deleting_what_is_gone_is_no_error(storer: Storer, kata: str, lion: str, cell: Cell) -> None:
    (cell.sandbox() / "instructions").unlink()
    storer.sandbox_save(kata, lion, Delta(deleted=["instructions"]), {})
    assert not (cell.sandbox() / "instructions").exists()


def test_saving_leaves_unchanged_files_times_alone(storer: Storer, kata: str, lion: str, cell: Cell) -> None:
    kept = cell.sandbox() / "test_hiker.py"
    os.utime(kept, ns=(1, 1_234_567_890_123_456_789))
    storer.sandbox_save(kata, lion, Delta(changed=["hiker.py"]), {**START, "hiker.py": "changed\n"})
    assert kept.stat().st_mtime_ns == 1_234_567_890_123_456_789


def test_saving_leaves_binaries_alone(storer: Storer, kata: str, lion: str, cell: Cell) -> None:
    binary = cell.sandbox() / "hiker.pyc"
    binary.write_bytes(b"\0\xff")
    storer.sandbox_save(kata, lion, Delta(changed=["hiker.py"]), {**START, "hiker.py": "changed\n"})
    assert binary.read_bytes() == b"\0\xff"


def test_binaries_can_be_saved(storer: Storer, kata: str, lion: str, cell: Cell) -> None:
    storer.sandbox_save(kata, lion, Delta(new=["hiker.pyc"]), {"hiker.pyc": b"\0\xff"})
    assert (cell.sandbox() / "hiker.pyc").read_bytes() == b"\0\xff"


def test_a_saved_files_mode_stays(storer: Storer, kata: str, lion: str, cell: Cell) -> None:
    (cell.sandbox() / "hiker.py").chmod(0o640)
    storer.sandbox_save(kata, lion, Delta(changed=["hiker.py"]), {"hiker.py": "changed\n"})
    assert (cell.sandbox() / "hiker.py").stat().st_mode & 0o777 == 0o640


def test_a_new_script_is_executable(storer: Storer, kata: str, lion: str, cell: Cell) -> None:
    storer.sandbox_save(kata, lion, Delta(new=["run.sh"]), {"run.sh": "true\n"})
    assert (cell.sandbox() / "run.sh").stat().st_mode & 0o777 == 0o755


def test_a_link_in_the_sandbox_is_replaced_and_not_followed(storer: Storer, kata: str, lion: str, cell: Cell) -> None:
    target = cell.avatar() / "target"
    target.write_text("untouched")
    (cell.sandbox() / "hiker.py").unlink()
    (cell.sandbox() / "hiker.py").symlink_to(target)
    storer.sandbox_save(kata, lion, Delta(changed=["hiker.py"]), {"hiker.py": "changed\n"})
    assert target.read_text() == "untouched"


@WHATEVER_THE_STORE
@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../escape",
        "a/b",
        "/etc/passwd",
        "a\0b",
        "x" * 300,
        "é" * 150,
        ".git",
        "GIT~1",
        ".git. ",
        "a\\.git",
        "\udcff",
    ],
)
def test_what_is_no_file_name_is_refused_and_nothing_is_written(
    storer: Storer, kata: str, lion: str, cell: Cell, name: str
) -> None:
    with pytest.raises(errors.BadFileName):
        storer.sandbox_save(kata, lion, Delta(new=["fine.py", name]), {"fine.py": "x", name: "x"})
    assert not (cell.sandbox() / "fine.py").exists()


@WHATEVER_THE_STORE
@pytest.mark.parametrize("delta", [Delta(deleted="a"), Delta(new="a"), Delta(changed="a")])
def test_a_name_in_the_place_of_a_list_of_names_is_refused(
    storer: Storer, kata: str, lion: str, cell: Cell, delta: Delta
) -> None:
    (cell.sandbox() / "a").write_text("stays")
    with pytest.raises(errors.BadFileName):
        storer.sandbox_save(kata, lion, delta, {"a": "new"})
    assert (cell.sandbox() / "a").read_text() == "stays"


@WHATEVER_THE_STORE
@pytest.mark.parametrize(("files", "why"), [({}, "missing"), ({"hiker.py": "\udcff"}, "not UTF-8"), (None, "none")])
def test_bad_content_is_refused_and_the_file_stays(
    storer: Storer, kata: str, lion: str, cell: Cell, files: dict[str, str], why: str
) -> None:
    with pytest.raises(errors.BadContent):
        storer.sandbox_save(kata, lion, Delta(changed=["hiker.py"]), files)
    assert (cell.sandbox() / "hiker.py").read_text() == START["hiker.py"], why


@WHATEVER_THE_STORE
@pytest.mark.parametrize("delta", [Delta(changed=["hiker\n.py"]), Delta(deleted=["hiker\n.py"])])
def test_a_directory_that_is_in_a_files_way_is_named(
    storer: Storer, kata: str, lion: str, cell: Cell, delta: Delta
) -> None:
    (cell.sandbox() / "hiker\n.py").mkdir()
    with pytest.raises(
        errors.CorruptKata, match=rf"^'hiker\\n.py' of avatar {lion} of kata {kata} is not what belongs"
    ):
        storer.sandbox_save(kata, lion, delta, {"hiker\n.py": "x"})


@WHATEVER_THE_STORE
def test_a_file_that_is_larger_than_files_may_be_is_not_said_to_be_read(
    storer: Storer, kata: str, lion: str, cell: Cell
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(errors.TooLarge, match="written"):
            storer.sandbox_save(kata, lion, Delta(changed=["hiker.py"]), {"hiker.py": "x" * 5000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (cell.sandbox() / "hiker.py").read_text() == START["hiker.py"]


@WHATEVER_THE_STORE
@pytest.mark.parametrize(
    "name", ["longest" + "x" * 248, "-rf", "a b", ":(top)", "*", 'quo"te', "new\nline", "é", "back\\slash"]
)
def test_odd_names_are_only_names(storer: Storer, kata: str, lion: str, cell: Cell, name: str) -> None:
    storer.sandbox_save(kata, lion, Delta(new=[name]), {name: "content"})
    assert (cell.sandbox() / name).read_text() == "content"


def test_saving_for_an_avatar_not_started_is_refused(storer: Storer, kata: str) -> None:
    with pytest.raises(errors.AvatarNotFound):
        storer.sandbox_save(kata, "lion", Delta(), {})


def test_saving_for_an_unknown_avatar_is_refused(storer: Storer, kata: str) -> None:
    with pytest.raises(errors.BadAvatar):
        storer.sandbox_save(kata, "cat", Delta(), {})
