"""Katas on their way: from the old disk into volumes, from one form into another, and out of volumes again.

Each is whole, compared, and in one place at any moment: a commit is one rename; what comes before leaves things as they
were, and what comes after only clears up. Knows nothing of FUSE.
"""
