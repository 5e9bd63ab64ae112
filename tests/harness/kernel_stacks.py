"""Where a process's threads wait in the kernel (proc_pid_stack(5)). Needs root."""

from pathlib import Path


def waiting_in(pid: int, function: str) -> int:
    """How many threads of the process wait in this function of the kernel's."""
    stacks = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stack")]
    return sum(stack.startswith(f"[<0>] {function}+") for stack in stacks)
