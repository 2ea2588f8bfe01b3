"""What an index is on disk: the only handshake between the indexer and the server."""
