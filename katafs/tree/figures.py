"""A tree in figures, for those who watch it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from katafs.kata_id import ROOT_VOLUME
from katafs.tree.core import ROOT_REMOVED, Core
from katafs.tree.directories import Directories
from katafs.tree.files import Files
from katafs.tree.nodes import Node
from katafs.volumes.store import VolumeStore


@dataclass(frozen=True)
class Figures:
    """How much of everything there is now."""

    katas: int
    volumes: int
    volumes_live: int
    """Those that a container has mounted, as far as the store knows."""
    nodes: int
    """Inodes that the kernel remembers, the root included."""
    open_files: int
    open_directories: int
    kept_descriptors: int
    most_kept_descriptors: int
    kept_descriptor_hits: int
    kept_descriptor_misses: int
    store: str
    """The store as `--volumes` names it."""
    store_fault: str | None
    """Why the store can't be asked now, or nothing can be made in it any more; None while all is well."""


def figures_of(parts: Sequence[tuple[Core, Files, Directories]]) -> Figures:
    """The figures of a tree's parts together; the first is the tree itself. It may wait for the store's disk."""
    cores = [core for core, _, _ in parts]
    store = cores[0].store
    catalog = store.catalog()
    volumes = catalog.names()
    return Figures(
        katas=catalog.distinct_count(),
        volumes=len(volumes),
        volumes_live=sum(map(store.in_use, volumes)),
        nodes=sum(len(core.nodes) for core in cores),
        open_files=sum(len(files.handles) for _, files, _ in parts),
        open_directories=sum(len(directories.handles) for _, _, directories in parts),
        kept_descriptors=sum(len(core.descriptors) for core in cores),
        most_kept_descriptors=sum(core.settings.open_directories for core in cores),
        kept_descriptor_hits=sum(core.descriptors.hits for core in cores),
        kept_descriptor_misses=sum(core.descriptors.misses for core in cores),
        store=store.url,
        store_fault=store.fault() or _root_fault(store, cores[0].nodes.root),
    )


def _root_fault(store: VolumeStore, root: Node) -> str | None:
    """Why nothing can be made at the top any more, or not where it belongs: its volume was removed meanwhile, or the
    engine is another by now. None while all is well."""
    if root.held is None:
        return None
    if not os.fstat(root.held).st_nlink:
        return ROOT_REMOVED
    if ROOT_VOLUME not in store.catalog():
        return f"the root volume {ROOT_VOLUME} that is mounted is not in the store any more: mount again"
    return None
