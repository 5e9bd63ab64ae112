"""katafs mounts per-kata volumes as one ordinary tree."""

import sys

__version__ = "0.1.0"

if sys.implementation.name == "pypy":
    from katafs import pypy

    pypy.complete()
