"""`python -m katafs` and the console script."""

import os
import tempfile


def main() -> None:
    """Run the command line."""
    _leave_dead_directory()
    from katafs.cli.main import katafs  # which loads rich

    katafs()


def _leave_dead_directory() -> None:
    """Go elsewhere from a mount that was taken away after its daemon died, as whoever looks after it may stand in one:
    rich asks for the working directory when it is loaded, and knows of none but one that was removed.

    To one that was removed: relative paths then lead nowhere, and not to another place."""
    try:
        os.getcwd()
    except FileNotFoundError:
        pass
    except OSError:
        with tempfile.TemporaryDirectory(prefix="katafs-") as removed:
            os.chdir(removed)


if __name__ == "__main__":
    main()
