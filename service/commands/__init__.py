"""The command line: the server's verbs, and all of them together."""
