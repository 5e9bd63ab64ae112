"""Refs that are none."""

import os
from collections.abc import Callable

from tests.harness.avatars import git
from tests.harness.git_objects import loose_path
from tests.harness.hostile_git.attack import Attack, Outcome, Place


def ref(content: str) -> Callable[[Place], None]:
    """Write something else than a sha to tag 1's ref."""

    def build(place: Place) -> None:
        (place.git / "refs/tags/1").write_text(content)

    return build


def fifo(name: str) -> Callable[[Place], None]:
    """A FIFO that nobody writes to."""

    def build(place: Place) -> None:
        (place.git / name).unlink(missing_ok=True)
        os.mkfifo(place.git / name)

    return build


def fifo_for_packed_refs(place: Place) -> None:
    (place.git / "refs/tags/1").unlink()
    fifo("packed-refs")(place)


def fifo_for_object(place: Place) -> None:
    path = loose_path(place.git, git(place.avatar, "rev-parse", "1:manifest.json").strip())
    fifo(str(path.relative_to(place.git)))(place)


def directory_for_ref(place: Place) -> None:
    (place.git / "refs/tags/1").unlink()
    (place.git / "refs/tags/1").mkdir()


def garbage_in_packed_refs(place: Place) -> None:
    (place.git / "refs/tags/1").unlink()
    (place.git / "packed-refs").write_bytes(b"\xff\0^~\nnothing refs/tags/1\n")


ATTACKS = {
    "garbage-ref": Attack(ref("\0garbage"), Outcome.SHOWN, Outcome.CORRUPT),
    "empty-ref": Attack(lambda place: os.truncate(place.git / "refs/tags/1", 0), Outcome.SHOWN, Outcome.CORRUPT),
    "ref-to-a-file": Attack(ref("ref: ../../../outside/.git/refs/tags/1\n"), Outcome.SHOWN, Outcome.CORRUPT),
    "long-ref": Attack(ref("a" * 40 + " " * 100_000), Outcome.SHOWN, Outcome.TOO_LARGE),
    "directory-for-ref": Attack(directory_for_ref, Outcome.SHOWN, Outcome.CORRUPT),
    "garbage-packed-refs": Attack(garbage_in_packed_refs, Outcome.SHOWN, Outcome.CORRUPT),
    "fifo-ref": Attack(fifo("refs/tags/1"), Outcome.SHOWN, Outcome.CORRUPT),
    "fifo-packed-refs": Attack(fifo_for_packed_refs, Outcome.SHOWN, Outcome.CORRUPT, listing=Outcome.CORRUPT),
    "fifo-object": Attack(fifo_for_object, Outcome.SHOWN, Outcome.CORRUPT),
}
