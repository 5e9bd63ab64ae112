"""The stores of volumes: which volumes exist and where they are. How their bytes are touched is `katafs.rooted`'s."""
