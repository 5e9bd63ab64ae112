"""A kata's `manifest.json`, read in the kata's volume: what the kata is, and what its avatars start with."""

from katafs.errors import CorruptKata
from katafs.storers.checks import checked_files
from katafs.storers.json_files import checked_texts, read_object
from katafs.storers.storer import Manifest

MANIFEST = b"manifest.json"


def read_manifest(top: int, kata: str) -> Manifest:
    """The manifest. Raises CorruptKata, also where there is none."""
    try:
        return read_object(top, MANIFEST, f"the manifest of kata {kata}")
    except FileNotFoundError:
        raise CorruptKata(f"kata {kata} has no manifest.json") from None


def start_files(top: int, kata: str) -> dict[str, str]:
    """The files that an avatar starts with. Raises CorruptKata, BadFileName, BadContent."""
    manifest = read_manifest(top, kata)
    if "visible_files" not in manifest:
        raise CorruptKata(f"the manifest of kata {kata} has no visible_files")
    return checked_files(checked_texts(manifest["visible_files"], f"visible_files of kata {kata}"))
