"""The index of an engine's volumes: where each is, and answers that overtake each other."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from katafs.kata_id import VolumeName
from katafs.volumes.docker_index import STARTING_S, DataPlace, VolumeIndex, data_place_of

KATA = VolumeName("123456789A")
OTHER = VolumeName("FEDCBA9876")
HERE = DataPlace("/volumes/123456789A/_data")
THERE = DataPlace("/elsewhere")
BOX = "0123abcd"


def details(driver: str = "local", **options: str) -> dict[str, Any]:
    """A volume as the engine describes it."""
    return {"Name": KATA, "Driver": driver, "Mountpoint": "/volumes/123456789A/_data", "Options": options or None}


def test_an_ordinary_volume_is_at_its_mount_point() -> None:
    assert data_place_of(details()) == HERE


def test_a_volume_with_a_quota_is_at_its_mount_point() -> None:
    assert data_place_of(details(size="1g")) == HERE


@pytest.mark.parametrize("kind", ["none", "bind"])
@pytest.mark.parametrize("flags", ["bind", "rbind", "bind,rw"])
def test_a_bind_volume_is_at_its_device(flags: str, kind: str) -> None:
    assert data_place_of(details(type=kind, o=flags, device="/elsewhere")) == DataPlace("/elsewhere", is_device=True)


@pytest.mark.parametrize(
    "options",
    [
        {"type": "nfs", "o": "addr=192.0.2.1", "device": ":/katas"},
        {"type": "cifs", "o": "bind", "device": "//server/katas"},
        {"type": "tmpfs", "device": "tmpfs"},
        {"type": "none", "o": "bind,ro", "device": "/elsewhere"},
        {"type": "none", "o": "bind"},
        {"type": "none", "device": "/elsewhere"},
        {"type": "ext4", "device": "/dev/sdb1"},
        {"o": "size=1g"},
    ],
    ids=str,
)
def test_any_other_option_is_refused(options: dict[str, str]) -> None:
    place = data_place_of(details(**options))
    assert (place.path, place.refusal is not None) == (None, True)


def test_another_driver_is_refused_by_name() -> None:
    assert (
        data_place_of(details("vieux/sshfs")).refusal
        == "its data is not on this host, since its driver is 'vieux/sshfs'"
    )


def test_a_refusal_names_the_options() -> None:
    refusal = data_place_of(details(type="nfs", o="addr=192.0.2.1")).refusal
    assert refusal is not None
    assert refusal.endswith("since its options are o=addr=192.0.2.1, type=nfs")


def test_an_answer_is_taken() -> None:
    index = VolumeIndex()
    with index.question() as question:
        index.take(question, KATA, HERE)
    assert (index.place(KATA), set(index.catalog.names())) == (HERE, {KATA})


def test_an_answer_that_there_is_none_is_taken() -> None:
    index = known()
    with index.question() as question:
        index.take(question, KATA, None)
    assert (index.place(KATA), index.catalog.names()) == (None, frozenset())


def test_an_overtaken_answer_is_not_taken() -> None:
    index = VolumeIndex()
    with index.question() as slow:
        with index.question() as fast:
            index.take(fast, KATA, HERE)
        assert not index.take(slow, KATA, None)
    assert index.place(KATA) == HERE


def test_an_answer_about_another_volume_overtakes_nothing() -> None:
    index = VolumeIndex()
    with index.question() as slow:
        with index.question() as fast:
            index.take(fast, OTHER, THERE)
        assert index.take(slow, KATA, HERE)


def test_an_answer_about_all_makes_these_the_volumes() -> None:
    index = known()
    with index.question() as question:
        index.take_all(question, {OTHER: THERE}, [])
    assert (set(index.catalog.names()), index.place(OTHER)) == ({OTHER}, THERE)


def test_an_answer_about_all_leaves_what_overtook_it() -> None:
    index = VolumeIndex()
    with index.question() as listing:
        with index.question() as creation:
            index.take(creation, KATA, HERE)
        index.take_all(listing, {OTHER: THERE}, [])
    assert index.catalog.names() == {KATA, OTHER}


def test_an_answer_about_all_overtakes_an_answer_about_one() -> None:
    index = VolumeIndex()
    with index.question() as slow:
        with index.question() as listing:
            index.take_all(listing, {}, [])
        assert not index.take(slow, KATA, HERE)


def test_a_volume_whose_place_changed_is_at_the_new_one() -> None:
    index = known()
    with index.question() as question:
        index.take(question, KATA, THERE)
    assert index.place(KATA) == THERE


def test_a_volume_is_in_use_until_its_last_container_is_gone() -> None:
    index = known()
    index.mounted(KATA, BOX)
    index.mounted(KATA, "another")
    index.unmounted(KATA, BOX)
    assert index.in_use(KATA)
    index.unmounted(KATA, "another")
    assert not index.in_use(KATA)


def test_an_answer_about_all_says_what_is_in_use() -> None:
    index = known(clock := Clock())
    index.mounted(KATA, BOX)
    clock.now_s += STARTING_S + 1
    with index.question() as question:
        index.take_all(question, {KATA: HERE, OTHER: THERE}, [(OTHER, BOX)])
    assert (index.in_use(KATA), index.in_use(OTHER)) == (False, True)


class Seen(list[tuple[VolumeName, str]]):
    """Users of whom it is seen, while they are taken in, what is in use."""

    def __init__(self, index: VolumeIndex, users: Sequence[tuple[VolumeName, str]]) -> None:
        super().__init__(users)
        self.volumes = index
        self.in_use: set[bool] = set()

    def __iter__(self) -> Iterator[tuple[VolumeName, str]]:
        for user in super().__iter__():
            self.in_use.add(self.volumes.in_use(KATA))
            yield user


def test_a_volume_in_use_is_so_also_while_an_answer_about_all_is_taken() -> None:
    index = known(clock := Clock())
    index.mounted(KATA, BOX)
    clock.now_s += STARTING_S + 1
    users = Seen(index, [(OTHER, BOX), (KATA, BOX)])
    with index.question() as question:
        index.take_all(question, {KATA: HERE, OTHER: THERE}, users)
    assert users.in_use == {True}


def test_a_container_that_is_being_started_keeps_its_volume_through_an_answer_about_all() -> None:
    index = known(clock := Clock())
    index.mounted(KATA, BOX)
    with index.question() as slow:
        clock.now_s += STARTING_S + 1  # when the engine answers doesn't count
        index.take_all(slow, {KATA: HERE}, [])
    assert index.in_use(KATA)


def test_a_container_that_was_being_started_is_gone_when_it_unmounts() -> None:
    index = known()
    index.mounted(KATA, BOX)
    with index.question() as question:
        index.take_all(question, {KATA: HERE}, [(KATA, BOX)])
    index.unmounted(KATA, BOX)
    assert not index.in_use(KATA)


def test_what_an_answer_about_all_says_is_in_use_is_so_until_the_next_one() -> None:
    index = known()
    for users, used in ([(KATA, BOX)], True), ([], False):
        with index.question() as question:
            index.take_all(question, {KATA: HERE}, users)
        assert index.in_use(KATA) is used


def test_an_answer_about_all_places_leaves_what_is_in_use() -> None:
    index = known(clock := Clock())
    index.mounted(KATA, BOX)
    clock.now_s += STARTING_S + 1
    with index.question() as question:
        index.take_places(question, {KATA: HERE, OTHER: THERE})
    assert (index.in_use(KATA), index.place(OTHER)) == (True, THERE)


def test_unmounting_what_was_never_mounted_changes_nothing() -> None:
    index = known()
    index.unmounted(KATA, BOX)
    assert not index.in_use(KATA)


def test_a_container_that_has_mounted_its_volume_again_keeps_it_when_the_unmount_before_is_known_to_count() -> None:
    index = known(clock := Clock())
    index.mounted(KATA, BOX)
    clock.now_s += 1
    unmounted_s = index.now_s()
    clock.now_s += 1
    index.mounted(KATA, BOX)
    index.unmounted(KATA, BOX, before_s=unmounted_s)
    assert index.in_use(KATA)


def test_an_unmount_ends_what_was_mounted_until_then() -> None:
    index = known(Clock())
    index.mounted(KATA, BOX)
    index.unmounted(KATA, BOX, before_s=index.now_s())
    assert not index.in_use(KATA)


def test_a_volume_of_unknown_place_is_told_and_in_use() -> None:
    index = VolumeIndex()
    told: list[VolumeName] = []
    index.when_used(told.append)
    index.mounted(KATA, BOX)
    with index.question() as question:
        index.take(question, KATA, HERE)
    assert (told, index.in_use(KATA)) == ([KATA], True)


def test_a_volume_that_comes_into_use_is_told_once() -> None:
    index = known()
    told: list[tuple[VolumeName, bool]] = []
    index.when_used(lambda name: told.append((name, index.in_use(name))))
    for container in (BOX, "another"):
        index.mounted(KATA, container)
    index.unmounted(KATA, BOX)
    index.mounted(KATA, BOX)

    assert told == [(KATA, True)]


def test_a_volume_that_comes_into_use_again_is_told_again() -> None:
    index = known()
    told: list[VolumeName] = []
    index.when_used(told.append)
    for _ in range(2):
        index.mounted(KATA, BOX)
        index.unmounted(KATA, BOX)

    assert told == [KATA, KATA]


def test_of_what_an_answer_about_all_says_is_in_use_only_what_is_new_is_told() -> None:
    index = known()
    index.mounted(KATA, BOX)
    told: list[VolumeName] = []
    index.when_used(told.append)
    with index.question() as question:
        index.take_all(question, {KATA: HERE, OTHER: THERE}, [(KATA, "another"), (OTHER, BOX)])

    assert told == [OTHER]


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_use_that_could_not_be_told_of_is_told_with_the_next_list() -> None:
    index = known()
    told: list[VolumeName] = []
    threads = False

    def tell(name: VolumeName) -> None:
        if not threads:
            raise RuntimeError("can't start new thread")
        told.append(name)

    index.when_used(tell)
    with pytest.raises(RuntimeError):
        index.mounted(KATA, BOX)
    threads = True
    for _ in range(2):
        with index.question() as question:
            index.take_all(question, {KATA: HERE}, [(KATA, BOX)])

    assert told == [KATA]


def known(clock: Callable[[], float] = time.monotonic) -> VolumeIndex:
    """An index with one volume."""
    index = VolumeIndex(clock)
    with index.question() as question:
        index.take(question, KATA, HERE)
    return index
