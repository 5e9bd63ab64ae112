"""katafs, with a line on stderr for each module that it comes to load. Run as a program."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))


class Telling:
    """Finds nothing itself (importlib.abc.MetaPathFinder)."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """Say which module is looked for, which isn't loaded yet."""
        print(f"loads {name}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.meta_path.insert(0, Telling())
    from katafs.cli.main import katafs

    katafs()
