"""What the servers' code does to the host's disk, call by call: the same outcome on a mount as on ext4."""

import os
from pathlib import Path

import pytest

from tests.system.host_disk import KATA, START, Server, Twins, inside

PATH = inside(KATA)


def _with_kata(twins: Twins) -> Twins:
    twins.succeed(lambda server: server.create_kata())
    return twins


def _with_avatar(twins: Twins) -> Twins:
    _with_kata(twins).succeed(lambda server: server.start_avatar())
    return twins


def _with_tags(twins: Twins, last: int = 3) -> Twins:
    _with_avatar(twins)
    for tag in range(1, last + 1):
        twins.succeed(lambda server, tag=tag: server.test_run(tag, {"hiker.py": f"answer = {tag}\n"}))  # type: ignore[misc]
    return twins


def test_create_a_kata(twins: Twins) -> None:
    _with_kata(twins).assert_same_trees()


def test_a_kata_exists_or_not(twins: Twins) -> None:
    _with_kata(twins).both(lambda server: server.shell(f"test -d {PATH}; echo $?; test -d 12/FFFFFFFF; echo $?"))


def test_stat_says_of_a_missing_kata_what_the_disk_says(twins: Twins) -> None:
    twins.both(lambda server: server.shell("stat 12/3456789A; stat 12; stat AB/CDEF0123"))


def test_complete_an_id(twins: Twins) -> None:
    for kata in (KATA, "123456FFFF", "12ABCDEF01", "3423456789"):
        twins.succeed(lambda server, kata=kata: server.create_kata(kata))  # type: ignore[misc]
    found = twins.both(lambda server: server.shell("stat -c %F 12 && ls 12 | grep ^3456"))
    assert "3456789A\n3456FFFF\n" in found


def test_list_every_kata(twins: Twins) -> None:
    for kata in (KATA, "12ABCDEF01", "3423456789"):
        twins.succeed(lambda server, kata=kata: server.create_kata(kata))  # type: ignore[misc]
    twins.succeed(lambda server: server.write("readme.txt", "a stray"))
    twins.succeed(lambda server: server.write("12/stray", "another"))
    found = twins.both(
        lambda server: server.shell("for outer in */; do for inner in $outer*/; do echo $inner; done; done")
    )
    assert "12/3456789A/\n12/ABCDEF01/\n34/23456789/\n" in found


def test_list_the_started_avatars(twins: Twins) -> None:
    _with_kata(twins).succeed(lambda server: server.shell(f"cd {PATH} && mkdir lion zebra nobody && touch bear"))
    found = twins.both(lambda server: server.shell(f"cd {PATH} && ls -F | grep / | tr -d /"))
    assert "lion\nnobody\nzebra\n" in found


def test_an_avatar_can_be_started_once(twins: Twins) -> None:
    _with_kata(twins).succeed(lambda server: server.shell(f"mkdir {PATH}/lion"))
    assert "File exists" in twins.both(lambda server: server.shell(f"mkdir {PATH}/lion"))


def test_mkdir_vp_prints_only_for_who_started_the_avatar(twins: Twins) -> None:
    _with_kata(twins)
    assert "created directory" in twins.both(lambda server: server.shell(f"mkdir -vp {PATH}/lion"))
    assert "created directory" not in twins.both(lambda server: server.shell(f"mkdir -vp {PATH}/lion"))


def test_mkdir_vp_prints_every_directory_that_it_made(twins: Twins) -> None:
    assert twins.both(lambda server: server.shell(f"mkdir -vp {PATH}/lion")).count("created directory") == 3


def test_start_an_avatar(twins: Twins) -> None:
    _with_avatar(twins).assert_same_trees()


def test_a_script_is_executable(twins: Twins) -> None:
    _with_avatar(twins).both(lambda server: server.shell(f"stat -c %a {PATH}/lion/sandbox/*"))


def test_commit_some_tags(twins: Twins) -> None:
    _with_tags(twins).assert_same_trees()


def test_git_finds_every_tag_and_no_fault(twins: Twins) -> None:
    script = "git tag -l; git log --format='%H %s'; git for-each-ref; git status --porcelain; git fsck --full --strict"
    found = _with_tags(twins).succeed(lambda server: server.shell(script, f"{PATH}/lion"))
    assert "refs/tags/3" in found


def test_garbage_collection_keeps_everything(twins: Twins) -> None:
    _with_tags(twins)
    script = (
        "git gc --quiet && git fsck --full && git log --format=%H && git show 2:manifest.json && ls .git/packed-refs"
    )
    twins.succeed(lambda server: server.shell(script, f"{PATH}/lion"))


def test_read_a_file(twins: Twins) -> None:
    found = _with_avatar(twins).succeed(lambda server: server.shell(f"cat {PATH}/lion/sandbox/hiker.py"))
    assert START["hiker.py"] in found


def test_write_a_shorter_file_over_a_longer_one(twins: Twins) -> None:
    _with_avatar(twins).succeed(lambda server: server.write(f"{PATH}/lion/sandbox/instructions", "short\n"))
    twins.assert_same_trees()


def test_write_names_that_shells_stumble_on(twins: Twins) -> None:
    _with_avatar(twins)
    for name in ("with space", "-n", "ünïcode", "*", "new\nline", '"quoted"'):
        twins.succeed(lambda server, name=name: server.write(f"{PATH}/lion/sandbox/{name}", name))  # type: ignore[misc]
    twins.succeed(
        lambda server: server.shell("git add sandbox && git status --porcelain && ls -1 sandbox", f"{PATH}/lion")
    )
    twins.assert_same_trees()


def test_save_a_sandbox(twins: Twins) -> None:
    _with_avatar(twins)
    twins.succeed(lambda server: server.shell("git rm --quiet sandbox/instructions", f"{PATH}/lion"))
    twins.succeed(lambda server: server.test_run(1, {"new.py": "new = True\n", "hiker.py": "answer = 42\n"}))
    found = twins.succeed(lambda server: server.shell("git show --stat --format= 1", f"{PATH}/lion"))
    assert "sandbox/new.py" in found
    twins.assert_same_trees()


def test_saving_a_sandbox_leaves_unchanged_files_alone(twins: Twins) -> None:
    _with_avatar(twins)
    sandbox = twins.mounted.katas / PATH / "lion" / "sandbox"
    before = {name: os.stat(sandbox / name) for name in START}

    twins.succeed(lambda server: server.test_run(1, {"hiker.py": "answer = 42\n"}))

    after = {name: os.stat(sandbox / name) for name in START}
    touched = [name for name in START if _times(before[name]) != _times(after[name])]
    assert touched == ["hiker.py"]


def _times(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def test_make_rebuilds_only_what_changed(twins: Twins) -> None:
    _with_avatar(twins)
    rule = "all: a.out b.out\n%.out: %.in\n\tcp $< $@; echo built $@\n"
    files = {"makefile": rule, "a.in": "a", "b.in": "b"}
    twins.succeed(lambda server: server.test_run(1, files))
    twins.succeed(lambda server: server.shell("make -s", f"{PATH}/lion/sandbox"))
    twins.succeed(
        lambda server: server.shell(
            "touch -d '1 hour ago' *.in && touch *.out && touch -d '1 hour' b.in", f"{PATH}/lion/sandbox"
        )
    )
    assert "built b.out\n" in twins.succeed(lambda server: server.shell("make -s", f"{PATH}/lion/sandbox"))


def test_a_tags_files(twins: Twins) -> None:
    found = _with_tags(twins).succeed(lambda server: server.shell("git show 2:manifest.json", f"{PATH}/lion"))
    assert "answer = 2" in found


def test_a_diff(twins: Twins) -> None:
    script = "git diff --ignore-space-at-eol --find-copies-harder 1 3 sandbox"
    found = _with_tags(twins).succeed(lambda server: server.shell(script, f"{PATH}/lion"))
    assert "-answer = 1\n+answer = 3\n" in found


def test_download(twins: Twins, disk: Path) -> None:
    _with_tags(twins).succeed(lambda server: server.shell(f"tar -zcf {KATA}.tgz {PATH} && tar -tzf {KATA}.tgz | sort"))
    for server in (twins.disk, twins.mounted):
        unpacked = disk / f"unpacked-{server.katas.name}"
        unpacked.mkdir(mode=0o777)
        unpacked.chmod(0o777)
        assert server.shell(f"tar -xzf {KATA}.tgz -C {unpacked}").startswith("status 0")
        (server.katas / f"{KATA}.tgz").unlink()
    Twins(
        Server(disk / f"unpacked-{twins.disk.katas.name}", twins.disk.user),
        Server(disk / f"unpacked-{twins.mounted.katas.name}", twins.disk.user),
    ).assert_same_trees()
    twins.assert_same_trees()


def test_run_the_tests(twins: Twins, disk: Path) -> None:
    def tar_out_run_and_tar_back(server: Server) -> str:
        place = disk / f"container-{server.katas.name}"
        place.mkdir()
        os.chown(place, server.user.uid, server.user.gid)
        sandbox = server.katas / PATH / "lion" / "sandbox"
        out = server.shell(f"tar -C {sandbox} -cf - . | tar -C {place} -xf -")
        ran = server.shell(f"cd {place} && sh cyber-dojo.sh")
        return out + ran + server.shell(f"tar -C {place} -cf - . | tar -C {sandbox} -xf - && cat {sandbox}/output")

    assert "return 6 * 9" in _with_avatar(twins).succeed(tar_out_run_and_tar_back)
    twins.assert_same_trees()


@pytest.mark.parametrize("kata", [KATA, "12ABCDEF01"], ids=["the only one in its outer dir", "one of two"])
def test_tidy_up(twins: Twins, kata: str) -> None:
    _with_tags(twins, last=1)
    twins.succeed(lambda server: server.create_kata("12ABCDEF01") if kata != KATA else server.shell("true"))
    twins.succeed(lambda server: server.shell(f"rm -rf {inside(kata)}"))
    twins.succeed(lambda server: server.shell(f"ls 12; ls; test ! -e {inside(kata)}"))
    twins.assert_same_trees()


def test_tidy_up_an_outer_dir(twins: Twins) -> None:
    _with_tags(twins, last=1).succeed(lambda server: server.create_kata("12ABCDEF01"))
    twins.succeed(lambda server: server.shell("rm -rf 12 && ls"))
    twins.assert_same_trees()


def test_move_a_whole_kata(twins: Twins) -> None:
    _with_tags(twins, last=1)
    twins.succeed(lambda server: server.shell(f"mkdir 34 && mv {PATH} 34/ABCDEF01"))
    twins.succeed(lambda server: server.shell("git log --format=%H && git status --porcelain", "34/ABCDEF01/lion"))
    twins.assert_same_trees()


def test_move_a_whole_kata_away(twins: Twins, disk: Path) -> None:
    _with_tags(twins, last=1)
    away = disk / "away"
    away.mkdir()
    away.chmod(0o777)
    twins.succeed(lambda server: server.shell(f"mv {PATH} {away}/$(id -u) && rm -rf {away}/$(id -u)"))
    twins.assert_same_trees()


def test_hand_a_kata_to_another_owner(twins: Twins) -> None:
    _with_avatar(twins)
    twins.both(lambda server: server.shell("chown -R 19661:65534 . && chmod -R g+w ."))
    twins.assert_same_trees()
