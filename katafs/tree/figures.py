"""A tree in figures, for those who watch it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from katafs.tree.core import Core
from katafs.tree.directories import Directories
from katafs.tree.files import Files


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
    """Why the store can't be asked now; None while it can."""


_OF_PARTS = (
    "nodes",
    "open_files",
    "open_directories",
    "kept_descriptors",
    "most_kept_descriptors",
    "kept_descriptor_hits",
    "kept_descriptor_misses",
)
"""What each part of a tree has of its own."""


def together(parts: Sequence[Figures]) -> Figures:
    """The figures of a tree's parts, of which the first is the tree itself, as one."""
    return replace(parts[0], **{name: sum(getattr(part, name) for part in parts) for name in _OF_PARTS})


def figures_of(core: Core, files: Files, directories: Directories) -> Figures:
    """The figures of a tree. It may wait for the store's disk."""
    catalog = core.store.catalog()
    volumes = catalog.names()
    return Figures(
        katas=catalog.count(),
        volumes=len(volumes),
        volumes_live=sum(map(core.store.in_use, volumes)),
        nodes=len(core.nodes),
        open_files=len(files.handles),
        open_directories=len(directories.handles),
        kept_descriptors=len(core.descriptors),
        most_kept_descriptors=core.settings.open_directories,
        kept_descriptor_hits=core.descriptors.hits,
        kept_descriptor_misses=core.descriptors.misses,
        store=core.store.url,
        store_fault=core.store.fault(),
    )
