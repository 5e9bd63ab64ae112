"""`python -m katafs` and the console script."""

from katafs.cli.main import katafs as main

if __name__ == "__main__":
    main()
