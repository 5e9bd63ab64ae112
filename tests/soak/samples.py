"""How much the daemon holds, from time to time."""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.harness import waiting
from tests.harness.mounted import Mounted
from tests.harness.status import status_of

_FORGETTING_S = 30.0

NODES = 16
"""The most that may be left when the kernel has forgotten what nobody uses."""


@dataclass(frozen=True)
class Sample:
    """What the daemon holds at a moment."""

    resident_bytes: int
    descriptors: int
    nodes: int
    handles: int
    """Open files and directories."""
    kept_descriptors: int
    katas: int


def sample(mounted: Mounted) -> Sample:
    """Now. Raises OSError where the daemon is gone."""
    told = status_of(mounted.path)
    process = Path(f"/proc/{mounted.pid}")
    pages = int((process / "statm").read_text().split()[1])
    return Sample(
        resident_bytes=pages * os.sysconf("SC_PAGE_SIZE"),
        descriptors=len(os.listdir(process / "fd")),
        nodes=told["nodes"],
        handles=told["open_files"] + told["open_directories"],
        kept_descriptors=told["kept_descriptors"],
        katas=told["katas"],
    )


def most(samples: list[Sample]) -> Sample:
    """The most of each."""
    return Sample(*(max(getattr(each, name) for each in samples) for name in Sample.__dataclass_fields__))


def quiet(mounted: Mounted) -> Sample:
    """When no client is there any more: makes the kernel forget all that nobody uses, and waits until the daemon has
    heard of it, or nothing more comes."""
    Path("/proc/sys/vm/drop_caches").write_text("2\n")
    waiting.holds_within(lambda: sample(mounted).nodes <= NODES, _FORGETTING_S)
    return sample(mounted)
