"""The index of a store's volumes by kata and by outer part, so that no answer needs a walk over all of them."""

import threading
from collections.abc import Iterable

from katafs.kata_id import AvatarName, KataId, VolumeName, outer_of, volume_owner

_OWN: tuple[AvatarName | None, ...] = (None,)


class Catalog:
    """Which volumes exist: a live index that its store alone changes. Safe for several threads."""

    def __init__(self, names: Iterable[VolumeName] = ()) -> None:
        self._lock = threading.Lock()
        """Covers the three indexes below, which always agree."""
        self._names: set[VolumeName] = set()
        self._owners: dict[KataId, tuple[AvatarName | None, ...]] = {}
        """Whose volumes a kata has: its own, which is None's, and avatars'. Most have no others; that is there once."""
        self._katas_in: dict[str, set[KataId]] = {}
        for name in names:
            self.add(name)

    def __contains__(self, name: VolumeName) -> bool:
        return name in self._names

    def names(self) -> frozenset[VolumeName]:
        """Every volume, the root volume included."""
        with self._lock:
            return frozenset(self._names)

    def outers(self) -> list[str]:
        """The outer parts that some kata begins with, sorted."""
        with self._lock:
            return sorted(self._katas_in)

    def katas(self) -> list[KataId]:
        """Every kata that has a volume of its own or one of an avatar's, sorted."""
        with self._lock:
            return sorted(self._owners)

    def katas_in(self, outer: str) -> list[KataId]:
        """The katas whose id begins with `outer`, sorted."""
        with self._lock:
            return sorted(self._katas_in.get(outer, ()))

    def count_in(self, outer: str) -> int:
        """How many katas' ids begin with `outer`."""
        return len(self._katas_in.get(outer, ()))

    def count(self) -> int:
        """How many katas there are."""
        return len(self._owners)

    def distinct_count(self) -> int:
        """The same, each once for sure: for figures, since with an old disk it takes as long as a listing."""
        return self.count()

    def has_kata(self, kata: KataId) -> bool:
        """Whether the kata has a volume of its own or one of an avatar's."""
        return kata in self._owners

    def avatars_of(self, kata: KataId) -> list[AvatarName]:
        """The avatars of the kata that have a volume of their own, sorted."""
        with self._lock:
            return sorted(avatar for avatar in self._owners.get(kata, ()) if avatar is not None)

    def add(self, name: VolumeName) -> None:
        """Take in a volume; one that is known already changes nothing."""
        owner = volume_owner(name)
        with self._lock:
            self._names.add(name)
            if owner is not None:
                kata, avatar = owner
                owners = self._owners.get(kata, ())
                if avatar not in owners:
                    self._owners[kata] = (*owners, avatar) if owners or avatar else _OWN
                self._katas_in.setdefault(outer_of(kata), set()).add(kata)

    def discard(self, name: VolumeName) -> None:
        """Drop a volume; one that isn't known changes nothing."""
        owner = volume_owner(name)
        with self._lock:
            self._names.discard(name)
            if owner is None:
                return
            kata, avatar = owner
            owners = tuple(each for each in self._owners.get(kata, ()) if each != avatar)
            if owners:
                self._owners[kata] = owners
            else:
                self._owners.pop(kata, None)
                inside = self._katas_in.get(outer_of(kata), set())
                inside.discard(kata)
                if not inside:
                    self._katas_in.pop(outer_of(kata), None)
