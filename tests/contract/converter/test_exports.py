"""What an export makes of katas that are kept in any way, and of what strangers put into them."""

import gzip
import json
import os
import shutil
import tarfile
import time
from contextlib import closing
from pathlib import Path

import pytest

from katafs import errors
from katafs.config import Sandboxes
from katafs.converter import exports
from katafs.converter.exports import Form, export
from katafs.kata_id import KataId, VolumeName
from katafs.namespace import Layout
from katafs.storers.git import GitStorer
from katafs.storers.plain import PlainStorer
from katafs.storers.storer import Delta, Tag
from katafs.volumes.directories import DirectoryStore
from katafs.volumes.store import VolumeStore
from katafs.volumes.tree_store import TreeStore
from tests.contract.converter.conftest import inside, volume
from tests.contract.storers.cells import KATA as ID
from tests.contract.storers.cells import MANIFEST, NOW, START
from tests.harness import needs
from tests.harness.avatars import git
from tests.harness.odd_trees import described, make_odd_tree
from tests.harness.programs import run

KATA = KataId(ID)
DATE_S = 1472464800
DATE_NS = DATE_S * 10**9
FILES = {name: content for name, content in START.items() if name != "output"}
"""What `output` follows: where it was among other files, tags don't tell."""
ODD_NAMES = ["-rf", "a b", 'quo"te', "new\nline", "é", "back\\slash", "*", "x" * 255, "run.sh"]


@pytest.fixture
def kata(store: VolumeStore) -> Path:
    """An empty kata's volume."""
    store.create(VolumeName(KATA))
    return volume(store, KATA)


def plain_lion(store: VolumeStore, sandboxes: Sandboxes = Sandboxes.KATA) -> list[Tag]:
    """Store a kata with a lion that is kept without git, and whose files have odd names; its tags."""
    storer = PlainStorer(store, sandboxes)
    storer.create_kata({**MANIFEST, "visible_files": {**FILES, "output": ""}})
    storer.start_avatar(KATA, ["lion"])
    for number, name in enumerate(ODD_NAMES, 1):
        storer.avatar_ran_tests(KATA, "lion", {**FILES, name: f"{number}é\n"}, NOW, f"said {number}", "red")
    return storer.tags(KATA, "lion")


def exported(store: VolumeStore, disk: Path, form: Form = Form.HOST_DISK) -> Path:
    """Where the kata was exported to."""
    return export(store, KATA, disk / "out", form)


def git_tags(disk: Path) -> list[Tag]:
    """What git says of the exported lion."""
    with closing(TreeStore(disk / "out", Layout.SPLIT)) as tree:
        return GitStorer(tree).tags(KATA, "lion")


def left_in(disk: Path) -> list[Path]:
    """What there is where exports go."""
    return sorted((disk / "out").rglob("*")) if (disk / "out").exists() else []


@pytest.mark.parametrize("store", ["directories"], indirect=True)  # memory keeps fewer attributes
def test_everything_in_a_kata_comes_out_as_it_is(store: VolumeStore, kata: Path, disk: Path) -> None:
    needs.root()
    make_odd_tree(kata)
    before = described(kata, atimes=False)
    exported(store, disk)

    assert described(inside(disk / "out", KATA), atimes=False) == before
    assert described(kata, atimes=False) == before


@pytest.mark.parametrize("store", ["directories"], indirect=True)
def test_a_converters_mark_is_not_the_katas(store: VolumeStore, kata: Path, disk: Path) -> None:
    """Of a copy that `convert --keep` has made."""
    needs.root()
    os.setxattr(kata, "trusted.katafs.uncommitted", b"disk change")
    os.setxattr(kata, "trusted.other", b"kept")
    exported(store, disk)

    assert os.listxattr(inside(disk / "out", KATA)) == ["trusted.other"]


@pytest.mark.parametrize("store", ["directories"], indirect=True)
def test_an_archive_has_all_that_tar_can_keep(store: VolumeStore, kata: Path, disk: Path) -> None:
    needs.root()
    make_odd_tree(kata)
    for name in ("with-acl", "dir"):
        os.removexattr(kata / name, f"system.posix_acl_{'default' if name == 'dir' else 'access'}")
    (kata / "socket").unlink()
    before = described(kata, atimes=False)
    exported(store, disk, Form.TGZ)
    options = ["--numeric-owner", "--xattrs", "--xattrs-include=*", "--delay-directory-restore"]
    run(["tar", *options, "-xpzf", disk / f"out/{KATA}.tgz", "-C", disk])

    assert described(inside(disk, KATA), atimes=False) == before


def test_an_archive_begins_at_the_outer_directory(store: VolumeStore, disk: Path) -> None:
    plain_lion(store)
    exported(store, disk, Form.TGZ)

    with tarfile.open(disk / f"out/{KATA}.tgz") as archive:
        names = archive.getnames()
    assert names[0] == "12/3456789A"
    assert all(name.startswith("12/3456789A/") for name in names[1:])
    assert "12/3456789A/lion/.git/HEAD" in names


def test_holes_are_not_packed(store: VolumeStore, kata: Path, disk: Path) -> None:
    """A container makes a file of 16 TB in no time."""
    (kata / "small").write_bytes(b"before")
    sizes = {
        "starts with data": 3 << 30,
        "is all hole": 1 << 30,
        "n" * 200: (1 << 30) + 5,
        os.fsdecode(b"\xff"): 1 << 29,
    }
    for name, size in sizes.items():
        with (kata / name).open("wb") as file:
            file.truncate(size)
            if name != "is all hole":
                for offset in (0, 1 << 28, size - 4):
                    os.pwrite(file.fileno(), b"data", offset)
    exported(store, disk, Form.TGZ)

    with gzip.open(disk / f"out/{KATA}.tgz") as archive:
        assert archive.seek(0, os.SEEK_END) < 1 << 20
    run(["tar", "-xpzf", disk / f"out/{KATA}.tgz", "-C", disk])
    for name, size in sizes.items():
        unpacked = inside(disk, KATA) / name
        assert (unpacked.stat().st_size, unpacked.stat().st_blocks < 1 << 11) == (size, True)
        with unpacked.open("rb") as file:
            found = [os.pread(file.fileno(), 6, offset) for offset in (0, 1 << 28, size - 4)]
        ends = [b"data\0\0", b"data\0\0", b"data"] if name != "is all hole" else [bytes(6), bytes(6), bytes(4)]
        assert found == ends
    with tarfile.open(disk / f"out/{KATA}.tgz") as archived:
        assert {f"12/3456789A/{name}": size for name, size in sizes.items()}.items() <= {
            member.name: member.size for member in archived
        }.items()


def test_equal_katas_make_equal_archives(store: VolumeStore, kata: Path, disk: Path) -> None:
    (kata / "manifest.json").write_text("{}")
    first = exported(store, disk, Form.TGZ).read_bytes()
    assert export(store, KATA, disk / "again", Form.TGZ).read_bytes() == first


def test_a_rebuilt_history_is_the_one_that_git_s_storer_makes(
    store: VolumeStore, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_lion(store)
    os.utime(volume(store, KATA) / "lion/tags/0.json", ns=(DATE_NS, DATE_NS))
    exported(store, disk)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: float(DATE_S))
    with closing(DirectoryStore(disk / "git", create_missing=True)) as other:
        storer = GitStorer(other)
        storer.create_kata({**MANIFEST, "visible_files": {**FILES, "output": ""}})
        storer.start_avatar(KATA, ["lion"])
        for number, name in enumerate(ODD_NAMES, 1):
            files = {**FILES, name: f"{number}é\n"}
            gone = [ODD_NAMES[number - 2]] if number > 1 else []
            storer.sandbox_save(KATA, "lion", Delta(deleted=gone, new=[name]), files)
            storer.avatar_ran_tests(KATA, "lion", files, NOW, f"said {number}", "red")

    ours, theirs = inside(disk / "out", KATA) / "lion", disk / "git" / KATA / "lion"
    for words in (["for-each-ref"], ["ls-files", "--stage"], ["symbolic-ref", "HEAD"]):
        assert git(ours, *words) == git(theirs, *words)
    assert (ours / ".git/config").read_bytes() == (theirs / ".git/config").read_bytes()
    for name in ("manifest.json", "increments.json"):
        assert (ours / name).read_bytes() == (theirs / name).read_bytes()


def test_a_server_goes_on_in_a_rebuilt_history(store: VolumeStore, disk: Path) -> None:
    plain_lion(store)
    exported(store, disk)
    with closing(TreeStore(disk / "out", Layout.SPLIT)) as tree:
        lights = GitStorer(tree).avatar_ran_tests(KATA, "lion", START, NOW, "later", "green")
    assert [light["number"] for light in lights] == list(range(1, len(ODD_NAMES) + 2))


def test_a_rebuilt_git_is_its_avatars_owners(store: VolumeStore, disk: Path) -> None:
    needs.root()
    plain_lion(store)
    kata = volume(store, KATA)
    for path in (kata, *kata.rglob("*")):
        os.chown(path, 19661, 33)
    exported(store, disk)

    found = {(path.lstat().st_uid, path.lstat().st_gid) for path in left_in(disk)}
    assert found == {(19661, 33)}
    assert (disk / "out/12/3456789A/lion/.git").is_dir()


def write_tag(store: VolumeStore, number: int, **changed: object) -> None:
    """Make a tag's file of the lion's say something else."""
    path = volume(store, KATA) / f"lion/tags/{number}.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changed))


@pytest.mark.parametrize(
    "name",
    ["../up", "a/b", "/etc/passwd", ".git", ".GIT", ".git.", "git~1", ".git::$INDEX", "..", "", "a\0b", "y" * 300],
)
def test_a_name_that_git_cannot_have_survives_in_the_manifest(store: VolumeStore, disk: Path, name: str) -> None:
    plain_lion(store)
    write_tag(store, 2, visible_files={name: "content", "fine.py": "x"})
    exported(store, disk)

    lion = inside(disk / "out", KATA) / "lion"
    assert git_tags(disk)[2]["visible_files"] == {name: "content", "fine.py": "x"}
    assert git(lion, "fsck", "--full", "--strict") == ""
    assert git(lion, "ls-tree", "-r", "--name-only", "2", "sandbox/").split() == ["sandbox/fine.py", "sandbox/output"]


def test_a_tag_without_a_time_is_as_old_as_its_file(store: VolumeStore, disk: Path) -> None:
    plain_lion(store)
    write_tag(store, 2, time=None)
    increments = volume(store, KATA) / "lion/increments.json"
    entries = json.loads(increments.read_bytes())
    entries[1]["time"] = None
    increments.write_text(json.dumps(entries))
    os.utime(volume(store, KATA) / "lion/tags/2.json", (1, 1234567890))
    exported(store, disk)

    lion = inside(disk / "out", KATA) / "lion"
    assert git_tags(disk)[2]["time"] is None
    assert git(lion, "log", "-1", "--format=%at %ct", "2") == "1234567890 1234567890\n"
    assert git(lion, "for-each-ref", "--format=%(taggerdate:unix)", "refs/tags/2") == "1234567890\n"
    # 2016-08-29T10:00:00+00:00, which git prints in other words from one version to the next.
    assert git(lion, "log", "-1", "--format=%ad", "--date=raw", "3") == "1472464800 +0000\n"


@pytest.mark.parametrize("content", [None, "[]", '[{"colour":"red","time":[2016,8,29,10,0,0],"number":1}]'])
def test_a_light_that_a_kill_kept_from_the_increments_is_exported(
    store: VolumeStore, disk: Path, content: str | None
) -> None:
    wanted = plain_lion(store)
    increments = volume(store, KATA) / "lion/increments.json"
    whole = json.loads(increments.read_bytes())
    if content is None:
        increments.unlink()
    else:
        increments.write_text(content)
    exported(store, disk)

    assert git_tags(disk) == wanted
    exported_increments = inside(disk / "out", KATA) / "lion/increments.json"
    assert json.loads(exported_increments.read_bytes()) == whole


@pytest.mark.parametrize("content", ["{", '{"a":1}', '[{"colour":"green","time":null,"number":9,"extra":1}]'])
def test_increments_that_say_something_else_stay_and_git_says_what_the_tags_do(
    store: VolumeStore, disk: Path, content: str
) -> None:
    plain_lion(store)
    (volume(store, KATA) / "lion/increments.json").write_text(content)
    exported(store, disk)

    lion = inside(disk / "out", KATA) / "lion"
    assert (lion / "increments.json").read_text() == content
    lights = json.loads(git(lion, "show", "9:increments.json"))
    assert [light["colour"] for light in lights] == ["red"] * 9


def test_what_an_increment_says_more_is_kept(store: VolumeStore, disk: Path) -> None:
    plain_lion(store)
    path = volume(store, KATA) / "lion/increments.json"
    entries = json.loads(path.read_bytes())
    entries[0] = {"outcome": "red", "time": NOW, "number": 1, "revert_tag": 0}
    path.write_text(json.dumps(entries))
    exported(store, disk)

    lion = inside(disk / "out", KATA) / "lion"
    assert json.loads(git(lion, "show", "1:increments.json")) == entries[:1]
    assert git(lion, "show", "9:increments.json") == path.read_text()


@pytest.mark.parametrize("form", Form)
def test_a_sandbox_that_is_a_volume_is_put_back(store: VolumeStore, disk: Path, form: Form) -> None:
    plain_lion(store, Sandboxes.AVATAR)
    sandbox = volume(store, f"{KATA}_lion")
    os.utime(sandbox / "hiker.py", ns=(1, 1234567890123456789))
    lion_ns = (volume(store, KATA) / "lion").stat().st_mtime_ns
    exported(store, disk, form)
    if form is Form.TGZ:
        run(["tar", "-xpzf", disk / f"out/{KATA}.tgz", "-C", disk / "out"])

    lion = inside(disk / "out", KATA) / "lion"
    assert described(lion / "sandbox", atimes=False) == described(sandbox, atimes=False)
    assert lion.stat().st_mtime_ns == lion_ns


def test_an_avatar_that_is_nothing_but_a_sandbox_is_exported(store: VolumeStore, kata: Path, disk: Path) -> None:
    assert kata.is_dir()
    store.create(VolumeName(f"{KATA}_lion"))
    (volume(store, f"{KATA}_lion") / "hiker.py").write_text("x")
    exported(store, disk)

    assert (inside(disk / "out", KATA) / "lion/sandbox/hiker.py").read_text() == "x"


def test_a_new_outer_directory_is_like_the_store_s(store: VolumeStore, kata: Path, disk: Path) -> None:
    needs.root()
    store.create(VolumeName("katafs_root"))
    outer = volume(store, "katafs_root") / KATA[:2]
    outer.mkdir()
    outer.chmod(0o2775)
    os.chown(outer, 33, 19661)
    os.chown(kata, 65534, 65534)
    exported(store, disk)

    status = (disk / "out" / KATA[:2]).stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (33, 19661, 0o2775 & 0o7777)


@pytest.mark.usefixtures("kata")
def test_a_kill_leaves_no_outer_directory_that_a_later_export_would_not_dress(
    store: VolumeStore, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as at_the_kill:
        at_the_kill.setattr(exports, "to_host_disk", killed)
        at_the_kill.setattr(exports, "remove_own", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            exported(store, disk)

    (left,) = os.listdir(disk / "out")
    assert left.startswith(".katafs-")


@pytest.mark.parametrize("form", list(Form))
def test_a_volume_that_is_removed_meanwhile_is_no_empty_kata(
    store: VolumeStore, disk: Path, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_lion(store)
    opened, where = store.open, volume(store, KATA)

    def opened_and_removed(name: VolumeName) -> int:
        top = opened(name)
        shutil.rmtree(where)
        return top

    monkeypatch.setattr(store, "open", opened_and_removed)
    with pytest.raises(errors.ExportFailed, match="since it was removed meanwhile"):
        exported(store, disk, form)
    assert os.listdir(disk / "out") == []


@pytest.mark.parametrize(
    "name", ["lion", "lion/.git", "lion/tags", "lion/sandbox", "lion/increments.json", "lion/manifest.json"]
)
def test_a_link_is_copied_and_leads_nowhere(store: VolumeStore, disk: Path, name: str) -> None:
    plain_lion(store)
    path = volume(store, KATA) / name
    outside = disk / "outside"
    shutil.copytree(volume(store, KATA), outside)
    (outside / "lion/manifest.json").write_text("SECRET")
    before = described(outside, atimes=False)
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(outside / name)
    if name == "lion/.git":
        with pytest.raises(errors.CorruptKata, match="not a directory"):
            exported(store, disk)
    else:
        exported(store, disk)
        copied = inside(disk / "out", KATA) / name
        assert "SECRET" not in copied.read_text() if name == "lion/manifest.json" else copied.is_symlink()
    assert described(outside, atimes=False) == before
