"""What a person can set, and what was set: by a file, by environment variables, by flags. Knows no terminal."""
