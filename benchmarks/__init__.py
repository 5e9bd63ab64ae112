"""How long ordinary work takes on katafs, on bindfs and on ext4 itself. Run by scripts/bench.

Knows nothing of katafs but its command line."""
