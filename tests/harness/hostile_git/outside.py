"""What lies outside of the attacker's own `.git`."""

import shutil
from collections.abc import Callable

from tests.harness.avatars import git
from tests.harness.git_objects import loose_path, tag_manifest
from tests.harness.hostile_git.attack import Attack, Outcome, Place, pack_everything


def alternates(place: Place) -> None:
    (place.git / "objects/info").mkdir(exist_ok=True)
    (place.git / "objects/info/alternates").write_text(f"{place.outside}/.git/objects\n")
    shutil.copy(place.outside / ".git/refs/tags/1", place.git / "refs/tags/1")


def common_directory(place: Place) -> None:
    (place.git / "commondir").write_text(f"{place.outside}/.git\n")
    shutil.rmtree(place.git / "refs/tags")


def git_file(place: Place) -> None:
    shutil.rmtree(place.git)
    place.git.write_text(f"gitdir: {place.outside}/.git\n")


def linked(*names: str) -> Callable[[Place], None]:
    """Put symbolic links to what is outside in the place of the attacker's own."""

    def build(place: Place) -> None:
        for name in names:
            own = place.avatar / name
            if own.is_dir():
                shutil.rmtree(own)
            else:
                own.unlink(missing_ok=True)
            own.symlink_to(place.outside / name)

    return build


def linked_packed_refs(place: Place) -> None:
    git(place.outside, "pack-refs", "--all")
    linked(".git/packed-refs")(place)
    (place.git / "refs/tags/1").unlink()


def linked_object(place: Place) -> None:
    sha = git(place.outside, "rev-parse", "1:manifest.json").strip()
    tag_manifest(place.git, sha)
    loose_path(place.git, sha).parent.mkdir(exist_ok=True)
    loose_path(place.git, sha).symlink_to(loose_path(place.outside / ".git", sha))


def linked_pack(place: Place) -> None:
    outside = pack_everything(Place(place.outside, place.outside, place.canary))
    for file in (outside, outside.with_suffix(".idx")):
        (place.git / "objects/pack" / file.name).symlink_to(file)
    shutil.copy(place.outside / ".git/refs/tags/1", place.git / "refs/tags/1")


ATTACKS = {
    "alternates": Attack(alternates, Outcome.SHOWN, Outcome.CORRUPT),
    "common-directory": Attack(common_directory, Outcome.MISSING, Outcome.MISSING),
    "git-file": Attack(git_file, Outcome.MISSING, Outcome.MISSING),
    "linked-git": Attack(linked(".git"), Outcome.MISSING, Outcome.MISSING),
    "linked-objects": Attack(linked(".git/objects"), Outcome.CORRUPT, Outcome.CORRUPT),
    "linked-refs": Attack(linked(".git/refs"), Outcome.CORRUPT, Outcome.CORRUPT),
    "linked-tags": Attack(linked(".git/refs/tags"), Outcome.CORRUPT, Outcome.CORRUPT),
    "linked-ref": Attack(linked(".git/refs/tags/1"), Outcome.SHOWN, Outcome.CORRUPT),
    "linked-packed-refs": Attack(linked_packed_refs, Outcome.SHOWN, Outcome.CORRUPT, listing=Outcome.CORRUPT),
    "linked-object": Attack(linked_object, Outcome.SHOWN, Outcome.CORRUPT),
    "linked-pack": Attack(linked_pack, Outcome.SHOWN, Outcome.CORRUPT),
}
