"""What the kernel may keep of a volume: the inodes that it knows, the names that lead there, and names beside those."""

from collections.abc import Iterable
from dataclasses import dataclass

from katafs.kata_id import VolumeName
from katafs.tree.core import Core


@dataclass(frozen=True)
class Kept:
    """Numbers of inodes, and names with their directories' numbers. Some of it the kernel may have let go of."""

    numbers: list[int]
    names: list[tuple[int, bytes]]


def kept_of(cores: Iterable[Core], volume: VolumeName) -> Kept:
    """What the kernel may keep of a volume. The name of its top isn't part of it: nobody changes that from inside."""
    kept = Kept([], [])
    for core in cores:
        with core.lock:
            nodes, others = core.nodes.all(), core.other_names.all()
        inside = [node for node in nodes if node.volume == volume]
        numbers = {node.number for node in inside}
        kept.numbers.extend(numbers)
        kept.names.extend((node.parent.number, node.name) for node in inside if node.parent and not node.is_grafted())
        kept.names.extend((parent, name) for parent, name in others if parent in numbers)
    return kept
