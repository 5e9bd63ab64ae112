"""From the old disk into volumes: each kata whole, compared, and in exactly one place at any moment.

Knows nothing of FUSE. A conversion's commit is one rename; what comes before leaves the disk as it was, and what comes
after only clears up.
"""
