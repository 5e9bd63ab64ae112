"""katafs mounts per-kata volumes as one ordinary tree."""

__version__ = "0.1.0"
