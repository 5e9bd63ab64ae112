"""How long ordinary work takes on katafs, on bindfs and on ext4 itself, and how long the storers' takes. Run by
scripts/bench.

What mounts knows nothing of katafs but its command line."""
