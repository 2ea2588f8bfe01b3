"""The indexes of a server by name."""
