"""The names of an index's files."""

DIRECTORY = "directory.npy"
IDS = "ids.npy"


def shard_name(shard: int) -> str:
    """Return the name of the file of a shard's postings."""
    return f"postings-{shard:04}.lmdb"
