"""A kata's `manifest.json`, read in the kata's volume: what the kata is, and what its avatars start with."""

from collections.abc import Set

from katafs.errors import CorruptKata, KataNotFound
from katafs.rooted import files, names
from katafs.storers.checks import checked_files
from katafs.storers.json_files import checked_texts, read_object
from katafs.storers.storer import Manifest

MANIFEST = b"manifest.json"
DELETED = files.TEMPORARY_PREFIX + b"deleted"
"""What a kata's manifest.json becomes in the first step of a deletion: from then on nothing in the kata is corrupt, and
a part of it needn't be there. It goes last, so a deletion that a kill broke off leaves it, too."""


def is_kata(found: Set[bytes]) -> bool:
    """Whether these names in a volume are a kata's. Where there is nothing but what something was being made in, it
    isn't one yet, or any more: its making begins so, and its deletion ends so."""
    return DELETED not in found and any(not name.startswith(files.TEMPORARY_PREFIX) for name in found)


def read_manifest(top: int, kata: str) -> Manifest:
    """The manifest. Raises CorruptKata, also where there is none, and KataNotFound where there is no kata as yet."""
    try:
        return read_object(top, MANIFEST, f"the manifest of kata {kata}")
    except FileNotFoundError:
        found = set(names.listing(top))  # once: a kata that is made meanwhile isn't one that lacks its manifest
        if MANIFEST in found or not is_kata(found):
            raise KataNotFound(f"kata {kata} was made only now, or has nothing in it") from None
        raise CorruptKata(f"kata {kata} has no manifest.json") from None


def start_files(top: int, kata: str) -> dict[str, str]:
    """The files that an avatar starts with. Raises CorruptKata, BadFileName, BadContent."""
    manifest = read_manifest(top, kata)
    if "visible_files" not in manifest:
        raise CorruptKata(f"the manifest of kata {kata} has no visible_files")
    return checked_files(checked_texts(manifest["visible_files"], f"visible_files of kata {kata}"))
