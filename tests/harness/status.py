"""What a mount says of itself."""

import json
from pathlib import Path
from typing import Any

from tests.harness.mounted import PROGRAM
from tests.harness.programs import Finished, run


def status_of(mount_point: Path) -> dict[str, Any]:
    """The mount's `.katafs/status.json`."""
    found: dict[str, Any] = json.loads((mount_point / ".katafs" / "status.json").read_text())
    return found


def katafs_status(*arguments: str | Path, status: int = 0, through: tuple[str, ...] = ()) -> Finished:
    """Run `katafs status`, `through` another program if one is named."""
    return run([*through, *PROGRAM, "status", *arguments], status=status)
