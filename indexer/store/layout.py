"""The names of an index's files."""

SHARD = "postings-0000.lmdb"
DIRECTORY = "directory.npy"
IDS = "ids.npy"
