"""The tree of a mount: what its names are, in either layout, and where what they stand for is kept."""

import errno
import os
import stat
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.programs import NOBODY, in_child, run
from tests.harness.refusals import refused
from tests.mounted.served import Served, fresh_id


def mkdir_with_umask(path: Path, mode: int, umask: int) -> None:
    os.umask(umask)
    path.mkdir(mode)


def test_a_kata_is_a_volume_in_the_store(served: Served) -> None:
    kata = fresh_id()
    served.make(kata)

    assert served.volume(kata).is_dir()


def test_what_is_written_to_a_kata_is_in_its_volume(served: Served) -> None:
    kata = fresh_id()
    (served.make(kata) / "manifest.json").write_text("{}")

    assert (served.volume(kata) / "manifest.json").read_text() == "{}"


def test_a_kata_is_made_once(served: Served) -> None:
    path = served.make(fresh_id())

    with pytest.raises(FileExistsError):
        path.mkdir()


def test_an_empty_kata_is_removed_with_its_volume(served: Served) -> None:
    kata = fresh_id()
    path = served.make(kata)
    path.rmdir()

    assert not path.exists()
    assert kata not in served.volumes()


def test_a_kata_that_is_not_empty_is_not_removed(served: Served) -> None:
    kata = fresh_id()
    path = served.make(kata)
    (path / "f").touch()

    with refused(errno.ENOTEMPTY):
        path.rmdir()

    assert (served.volume(kata) / "f").exists()


def test_a_removed_kata_can_be_made_anew(served: Served) -> None:
    kata = fresh_id()
    path = served.make(kata)
    (path / "old").touch()
    run(["rm", "-r", path])
    path.mkdir()

    assert os.listdir(path) == []
    assert path.name in os.listdir(path.parent)


def test_a_katas_mode_is_what_mkdir_asked_for_less_the_umask(served: Served) -> None:
    kata = fresh_id()
    path = served.path(kata)
    path.parent.mkdir(exist_ok=True)
    in_child(mkdir_with_umask, path, 0o777, 0o027)

    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(served.volume(kata).stat().st_mode) == 0o750


def test_a_kata_belongs_to_who_made_it(served: Served) -> None:
    needs.root()
    kata = fresh_id()
    path = served.path(kata)
    path.parent.mkdir(exist_ok=True)
    path.parent.chmod(0o777)
    NOBODY.run(["mkdir", path])
    status = served.volume(kata).stat()

    assert (status.st_uid, status.st_gid) == (path.stat().st_uid, path.stat().st_gid) == (NOBODY.uid, NOBODY.gid)


def test_a_kata_inherits_its_group_from_a_setgid_parent(split: Served) -> None:
    needs.root()
    kata = fresh_id()
    path = split.path(kata)
    path.parent.mkdir()
    os.chown(path.parent, 0, 777)
    path.parent.chmod(0o2777)
    NOBODY.run(["mkdir", path])
    status = split.volume(kata).stat()

    assert (status.st_uid, status.st_gid, bool(status.st_mode & stat.S_ISGID)) == (NOBODY.uid, 777, True)


def test_a_kata_is_not_made_by_who_may_not_write_here(split: Served) -> None:
    needs.root()
    kata = fresh_id()
    split.path(kata).parent.mkdir()

    NOBODY.run(["mkdir", split.path(kata)], status=1)

    assert kata not in split.volumes()


def test_a_katas_mode_owner_and_times_are_its_volumes(served: Served) -> None:
    needs.root()
    kata = fresh_id()
    path = served.make(kata)
    os.chown(path, 19661, 33)
    path.chmod(0o1770)
    os.utime(path, ns=(1_000_000_001, 2_000_000_002))

    seen = [
        (status.st_mode, status.st_uid, status.st_gid, status.st_atime_ns, status.st_mtime_ns)
        for status in (path.stat(), served.volume(kata).stat())
    ]

    assert seen[0] == seen[1] == (stat.S_IFDIR | 0o1770, 19661, 33, 1_000_000_001, 2_000_000_002)


def test_the_other_layouts_path_is_an_unlisted_link(served: Served) -> None:
    kata = fresh_id()
    served.make(kata)
    alias = served.alias(kata)

    assert alias.is_symlink()
    assert alias.name not in os.listdir(alias.parent)


def test_both_paths_lead_to_one_inode(served: Served) -> None:
    kata = fresh_id()
    path = served.make(kata)
    (served.alias(kata) / "f").write_text("through the other")

    assert (path / "f").read_text() == "through the other"
    assert path.stat().st_ino == served.alias(kata).stat().st_ino


@pytest.mark.parametrize(("layout", "target"), [("flat", "../{}{}"), ("split", "{}/{}")])
def test_an_alias_is_relative(request: pytest.FixtureRequest, layout: str, target: str) -> None:
    served: Served = request.getfixturevalue(layout)
    kata = fresh_id()
    served.make(kata)

    assert os.readlink(served.alias(kata)) == target.format(kata[:2], kata[2:])


def test_without_a_kata_there_is_no_alias(served: Served) -> None:
    assert not os.path.lexists(served.alias(fresh_id()))


def test_an_alias_is_gone_with_its_kata(served: Served) -> None:
    kata = fresh_id()
    path = served.make(kata)
    assert os.path.lexists(served.alias(kata))
    path.rmdir()

    with pytest.raises(FileNotFoundError):
        os.listdir(served.alias(kata))


def test_an_alias_can_not_be_removed(served: Served) -> None:
    kata = fresh_id()
    served.make(kata)

    with refused(errno.EPERM):
        served.alias(kata).unlink()

    assert served.volume(kata).is_dir()


def test_a_kata_is_made_through_the_other_layouts_path(served: Served) -> None:
    """The servers' own `mkdir -p katas/12/3456789A`, on a flat mount as well."""
    kata = fresh_id()
    run(["mkdir", "-p", served.alias(kata)])

    assert served.volume(kata).is_dir()
    assert stat.S_ISDIR(served.path(kata).lstat().st_mode)
    assert served.alias(kata).is_symlink()


def test_an_outer_directory_is_shown_for_katas_that_others_made(split: Served) -> None:
    kata = fresh_id()
    split.appear(kata)

    assert split.path(kata).is_dir()
    assert os.listdir(split.path(kata).parent) == [kata[2:]]


def test_an_outer_directory_that_is_only_shown_can_be_written_to(split: Served) -> None:
    kata = fresh_id()
    split.appear(kata)
    (split.path(kata).parent / "readme.txt").write_text("stray")

    assert (split.root_volume / kata[:2] / "readme.txt").read_text() == "stray"
    assert sorted(os.listdir(split.path(kata).parent)) == [kata[2:], "readme.txt"]


def test_an_outer_directory_with_katas_is_not_empty(split: Served) -> None:
    kata = fresh_id()
    split.make(kata)

    with refused(errno.ENOTEMPTY):
        split.path(kata).parent.rmdir()


def test_an_outer_directory_keeps_its_mode_owner_and_times(split: Served) -> None:
    needs.root()
    outer = split.make(fresh_id()).parent
    os.chown(outer, 19661, 33)
    outer.chmod(0o2755)
    os.utime(outer, ns=(1_000_000_001, 2_000_000_002))
    status = outer.stat()

    assert (status.st_mode, status.st_uid, status.st_gid) == (stat.S_IFDIR | 0o2755, 19661, 33)
    assert (status.st_atime_ns, status.st_mtime_ns) == (1_000_000_001, 2_000_000_002)


def test_strays_are_kept_in_the_root_volume(served: Served) -> None:
    (served.top / "readme.txt").write_text("stray")

    assert (served.root_volume / "readme.txt").read_text() == "stray"
    assert "readme.txt" in os.listdir(served.top)


@pytest.mark.parametrize(
    "name",
    ["123456789", "123456789AB", "123456789a", "123456789G", "ab", "1", "123456789A_lion", "katafs_root", "\udcff"],
)
def test_an_id_that_is_none_is_an_ordinary_name(served: Served, name: str) -> None:
    (served.top / name).mkdir()

    assert (served.root_volume / name).is_dir()


def test_a_file_named_like_a_kata_is_a_file(served: Served) -> None:
    kata = fresh_id()
    served.path(kata).parent.mkdir(exist_ok=True)
    served.path(kata).write_text("no directory")

    assert served.path(kata).read_text() == "no directory"
    assert kata not in served.volumes()


def test_an_avatars_volume_that_others_made_is_its_sandbox(served: Served) -> None:
    kata = fresh_id()
    (served.appear(kata, "lion") / "hiker.c").write_text("int")

    assert (served.path(kata) / "lion" / "sandbox" / "hiker.c").read_text() == "int"


def test_the_top_has_one_entry_a_kata(flat: Served) -> None:
    kata = fresh_id()
    flat.make(kata)

    assert (os.listdir(flat.top).count(kata), kata[:2] in os.listdir(flat.top)) == (1, False)


def test_a_volume_is_served_whoever_made_it(served: Served) -> None:
    kata = fresh_id()
    (served.appear(kata) / "manifest.json").write_text("{}")

    assert (served.path(kata) / "manifest.json").read_text() == "{}"
    assert (served.alias(kata) / "manifest.json").read_text() == "{}"
