"""What the daemon may hold at the end of a soak, against what it held after the warm-up."""

from tests.soak.samples import NODES, Sample

MORE_RESIDENT, MORE_RESIDENT_BYTES = 0.15, 8 << 20
"""Memory may be more by this part, and by this many bytes: Python's allocator gives back only what is wholly free."""

DESCRIPTORS = 8
"""How many more may be open."""


def beyond(warm: Sample, end: Sample) -> list[str]:
    """What is beyond its bound, a line each."""
    resident_bytes = warm.resident_bytes * (1 + MORE_RESIDENT) + MORE_RESIDENT_BYTES
    bounds = {
        "resident bytes": (end.resident_bytes, resident_bytes),
        "descriptors": (end.descriptors, warm.descriptors + DESCRIPTORS),
        "nodes": (end.nodes, NODES),
        "open handles": (end.handles, warm.handles),
    }
    return [f"{what}: {found} at the end, bound {most:.0f}" for what, (found, most) in bounds.items() if found > most]
