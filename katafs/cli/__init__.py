"""The command line: wires a store, a tree and a mount together, and says in exit codes and single lines how it went."""
