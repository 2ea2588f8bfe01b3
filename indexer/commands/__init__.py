"""The indexer's verbs, and the kit that all verbs of the command line share."""
