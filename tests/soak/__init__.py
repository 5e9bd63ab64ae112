"""Many clients do the same to a mount and to a plain directory, for as long as one likes, and nothing may differ.

What it does and how to read its report is in docs/reliability.md. It knows katafs only from outside.
"""
