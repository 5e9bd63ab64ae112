"""`python -m katafs` and the console script."""

import os
import signal
import tempfile


def main() -> None:
    """Run the command line."""
    _leave_dead_directory()
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:  # Ctrl-C then ends it without a word: loading takes its time
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from katafs.cli.main import katafs  # which loads rich

    signal.signal(signal.SIGINT, handler)
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
