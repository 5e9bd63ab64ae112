"""The FUSE edge: the one room that knows the binding and its event loop. It translates and never decides what is true
of the tree; it alone says what runs inline, what in a worker thread, and what errno an error becomes.
"""
