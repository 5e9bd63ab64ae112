"""How many descriptors this process may have: as many as it is allowed to raise its own limit to."""

import resource


def raised_limit() -> int:
    """Raise the limit (setrlimit(2), RLIMIT_NOFILE) to what is allowed, and answer with it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
