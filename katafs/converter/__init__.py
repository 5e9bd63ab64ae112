"""Katas on their way: out of volumes, and from one form into another. Nothing goes before it was compared.

Must not know FUSE, the terminal, or which store it works on.
"""
