"""What a store calls a volume: the volume's name behind the store's prefix.

Knows which names are volumes of katafs at all; anything else in a store is somebody else's and is not looked at.
"""

from katafs.kata_id import ROOT_VOLUME, VolumeName, is_volume_prefix, volume_owner


class Prefix:
    """The text in front of every name that a store keeps."""

    def __init__(self, text: str) -> None:
        """Raises ValueError for what no name can begin with."""
        if not is_volume_prefix(text):
            raise ValueError(f"the name of a volume can't begin with {text!r}")
        self._text = text

    def put(self, name: VolumeName) -> str:
        """What the store calls the volume. Raises ValueError for a name that no volume can have."""
        if not _is_volume(name):
            raise ValueError(f"not the name of a volume: {name!r}")
        return self._text + name

    def strip(self, stored: str) -> VolumeName | None:
        """The volume that the store calls `stored`, or None where that is no volume of ours."""
        name = stored.removeprefix(self._text)
        return VolumeName(name) if stored.startswith(self._text) and _is_volume(name) else None


def _is_volume(name: str) -> bool:
    return name == ROOT_VOLUME or volume_owner(name) is not None
