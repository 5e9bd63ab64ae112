"""Where a process's threads wait in the kernel (proc_pid_stack(5)). Needs root."""

import re
from pathlib import Path

_FRAME = re.compile(r"\[<0>\] (\w+)[.\w]*\+")
_WAITING = re.compile(r"__switch_to|_*schedule\w*|rwsem_\w+|_*down_(read|write)\w*")
"""What the waiting itself takes, which user-mode-linux tells as well."""


def waiting_in(pid: int, function: str) -> int:
    """How many threads of the process wait in this function of the kernel's."""
    stacks = [_FRAME.findall(path.read_text()) for path in Path(f"/proc/{pid}/task").glob("*/stack")]
    waiting = [[frame for frame in stack if not _WAITING.fullmatch(frame)] for stack in stacks]
    return sum(stack[:1] == [function] for stack in waiting)
