"""Which fixtures every test can ask for; each is described beside its code in `tests/harness`."""

pytest_plugins = ["tests.harness.places", "tests.harness.mounts", "tests.harness.engine", "tests.harness.wall_clock"]
