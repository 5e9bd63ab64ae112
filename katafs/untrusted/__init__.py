"""What anybody may have written, read at a cost that has a bound: files below an avatar, and of its `.git` git's
objects and refs.

Knows neither katas nor the git program, and executes nothing.
"""
