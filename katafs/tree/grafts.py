"""What the store's volumes and a legacy disk add to a directory: which names lead into a volume of their own, and which
directories no volume holds but some volume's name calls for."""

from katafs.kata_id import VolumeName, avatar_volume, kata_volume
from katafs.namespace import SANDBOX_NAME, Kind, Layout, Place, name_of
from katafs.tree.legacy import Legacy
from katafs.volumes.store import VolumeStore


class Grafts:
    """Asks the store on behalf of the tree. Stateless."""

    def __init__(self, store: VolumeStore, layout: Layout, legacy: Legacy) -> None:
        self._store = store
        self._layout = layout
        self._legacy = legacy

    def volume_at(self, place: Place) -> VolumeName | None:
        """The volume that is this place's directory, if it exists. Raises StoreUnreachable if that can't be known."""
        name = place.volume
        return name if name is not None and self._store.exists(name) else None

    def calls_for(self, place: Place) -> bool:
        """Whether volumes exist that make this place a directory (or an alias a link), even if no volume holds one."""
        if place.kind is Kind.PLAIN:
            return False
        catalog = self._store.catalog()
        if place.kind is Kind.OUTER:
            return catalog.count_in(place.outer) > 0 or self._legacy.outer_status(place.outer) is not None
        if place.kata is None:
            return False
        if place.kind is Kind.AVATAR:
            return place.avatar is not None and avatar_volume(place.kata, place.avatar) in catalog
        if place.kind is Kind.ALIAS and self._store.exists(kata_volume(place.kata)):
            return True
        # A kata's own volume is asked for, not looked up here: the catalog may be a moment behind its removal.
        return place.kind in (Kind.KATA, Kind.ALIAS) and bool(catalog.avatars_of(place.kata))

    def names_in(self, place: Place) -> list[bytes]:
        """The names that volumes add to the directory at a place, as far as they are listed."""
        if place.kind is Kind.PLAIN:
            return []
        catalog = self._store.catalog()
        if place.kind is Kind.ROOT:
            # In a flat layout the outer directories are listed that the root volume has, or will have.
            outers = {*self._legacy.outers(), *(catalog.outers() if self._layout is Layout.SPLIT else ())}
            katas = catalog.katas() if self._layout is Layout.FLAT else []
            return [name.encode() for name in (*sorted(outers), *katas)] + self._legacy.strays_in(place.outer)
        if place.kind is Kind.OUTER:
            katas = catalog.katas_in(place.outer) if self._layout is Layout.SPLIT else []
            return [name_of(kata, self._layout) for kata in katas] + self._legacy.strays_in(place.outer)
        if place.kind is Kind.KATA and place.kata:
            return [avatar.encode() for avatar in catalog.avatars_of(place.kata)]
        if place.kind is Kind.AVATAR and self.calls_for(place):
            return [SANDBOX_NAME]
        return []

    def count_in(self, place: Place) -> int:
        """How many directories volumes add to the directory at a place, for its link count: those that are sure not to
        be in its own volume as well."""
        if place.kind is Kind.ROOT and self._layout is Layout.FLAT:
            return self._store.catalog().count()
        if place.kind is Kind.OUTER and self._layout is Layout.SPLIT:
            return self._store.catalog().count_in(place.outer)
        return int(place.kind is Kind.AVATAR and self.calls_for(place))
