"""What the kernel is told of how long a processor may take to wake up, in µs."""

NONE = (0).to_bytes(4, "little")
ANY = (2_000_000_000).to_bytes(4, "little")
